"""Makes report.html of what the folder of a run says."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_text
from mindzoo.utils.log import logger
from mindzoo.utils.reports import compare, page
from mindzoo.utils.reports.keys import CompareConfig, ReportConfig
from mindzoo.utils.reports.reading import read_run

NAME = "report.html"


def run(config: ReportConfig) -> None:
    """Write the report of the run that is named; the page of a comparison where there are several.

    Raises:
        UserError: none is named, one is no run, or the file cannot be written.
    """
    if not config.runs:
        raise UserError("no run is given; wanted the folder of a run: mindzoo report RUN")
    check_output("output", config.output, (".html",))
    if len(config.runs) > 1:
        compare.run(CompareConfig(config.runs, config.output))
        return
    (folder,) = map(Path, config.runs)
    runs = [read_run(folder)]
    page.warn(runs)
    page.write(runs, Path(config.output) if config.output else folder / NAME)


def write_at_end(folder: Path) -> None:
    """Write the report of a run into its folder. The run is done whatever happens here: a failure is a warning."""
    try:
        write_text(folder / NAME, page.text([read_run(folder)]))
    except Exception as error:
        logger.warning("there is no %s: %s: %s", NAME, type(error).__name__, error)
        return
    logger.info("the report of this run is %s", folder / NAME)
