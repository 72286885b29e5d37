"""Makes report.html of what run folders say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_text
from mindzoo.utils.log import logger
from mindzoo.utils.reports import page
from mindzoo.utils.reports.keys import ReportConfig
from mindzoo.utils.reports.reading import read_run

NAME = "report.html"


def run(config: ReportConfig) -> None:
    """Write the report of the runs that are named.

    Raises:
        UserError: none is named, one is no run, or the file cannot be written.
    """
    if not config.runs:
        raise UserError("no run is given; wanted the folder of a run: mindzoo report RUN")
    check_output("output", config.output, (".html",))
    folders = [Path(name) for name in config.runs]
    target = Path(config.output) if config.output else Path(folders[0] if len(folders) == 1 else ".") / NAME
    started = time.perf_counter()
    write(folders, target)
    logger.info("wrote %s, %.1f MB, in %.1f s", target, target.stat().st_size / 1e6, time.perf_counter() - started)


def write(folders: Sequence[Path], target: Path) -> None:
    """Write the report of one run, or of several over each other.

    Raises:
        UserError: a folder is none of a run, or `target` cannot be written.
    """
    write_text(target, page.text([read_run(folder) for folder in folders]))


def write_at_end(folder: Path) -> None:
    """Write the report of a run into its folder. The run is done whatever happens here: a failure is a warning."""
    try:
        write([folder], folder / NAME)
    except Exception as error:
        logger.warning("there is no %s: %s: %s", NAME, type(error).__name__, error)
        return
    logger.info("the report of this run is %s", folder / NAME)
