"""The report of one run or of several over each other, as one page that loads nothing from anywhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import counted, visible, without_middle
from mindzoo.utils.files import write_text
from mindzoo.utils.log import logger
from mindzoo.utils.pages import frame
from mindzoo.utils.reports import comparison, curves, sections
from mindzoo.utils.reports.curves import Chart
from mindzoo.utils.reports.markup import Column, folded, section, table, word
from mindzoo.utils.reports.reading import Run

ASSETS = Path(__file__).with_name("assets")
COLORS = 8  # that the style has
LONGEST_NAME = 40  # of a run, where there are several


def text(runs: Sequence[Run], *, menu: str = "", more_style: str = "", more_script: str = "") -> str:
    """The page.

    Args:
        menu: HTML below the title.
        more_style, more_script: beside those that all reports have.
    """
    names = names_of(runs)
    several = len(runs) > 1
    charts = curves.charts(runs, names if several else [""])
    main = "".join(_of_several(runs, names, charts) if several else _of_one(runs[0], charts))
    shown = main + scripted(data_of(charts), more_script)
    title = "Comparison of runs" if several else f"Run {visible(runs[0].name)}"
    about = counted(len(runs), "run") if several else _origin_of(runs[0])
    return frame.document(title, about, shown, style=style() + more_style, menu=menu)


def warn(runs: Sequence[Run]) -> None:
    """Say on the terminal what the page says of files that could not be read."""
    for name, one in zip(names_of(runs), runs, strict=True):
        for note in one.notes:
            logger.warning("%s: %s", name, note)


def write(runs: Sequence[Run], target: Path) -> None:
    """Write the page, and say so.

    Raises:
        UserError: it cannot be written.
    """
    started = time.perf_counter()
    write_text(target, text(runs))
    logger.info("wrote %s, %.1f MB, in %.1f s", target, target.stat().st_size / 1e6, time.perf_counter() - started)


def _of_one(run: Run, charts: Sequence[Chart]) -> Iterator[str]:
    yield sections.overview(run)
    yield curves_of(charts, [""])
    yield sections.of_run(run)


def _of_several(runs: Sequence[Run], names: Sequence[str], charts: Sequence[Chart]) -> Iterator[str]:
    yield comparison.results(runs, names)
    yield comparison.settings(runs, names)
    yield curves_of(charts, names)
    yield comparison.pairs(runs, names)
    yield comparison.environments(runs, names)
    yield comparison.origins(runs, names)


def _origin_of(run: Run) -> str:
    """Network and time, as far as they are known."""
    return visible(", ".join(filter(None, (run.network, str(run.environment.get("started", ""))))))


def names_of(runs: Sequence[Run]) -> list[str]:
    """Short names that differ and can be shown: those of the folders, with the one above where two have the same, or else a number."""
    own = [run.name for run in runs]
    with_parent = [f"{run.folder.absolute().parent.name}/{run.name}" for run in runs]
    for names in (own, with_parent):
        short = [without_middle(visible(name), LONGEST_NAME) for name in names]
        if len({*short}) == len(runs):
            return short
    return [without_middle(f"{place}: {visible(name)}", LONGEST_NAME) for place, name in enumerate(own, 1)]


def curves_of(charts: Sequence[Chart], names: Sequence[str]) -> str:
    """Places that the script draws into, each with a table of its values."""
    if not charts:
        return ""
    choice = ""
    if len(names) > 1:
        boxes = [
            f'<label><input type="checkbox" checked data-run="{place}"><i class="color{place % COLORS}"></i>{word(name)}</label>'
            for place, name in enumerate(names)
            if any(series.run == place for chart in charts for series in chart.series)
        ]
        choice = f"<fieldset><legend>Runs that are drawn</legend>{''.join(boxes)}</fieldset>"
    drawn = "".join(_curve(place, chart) for place, chart in enumerate(charts))
    said = "Point at a curve to read its values; with the keyboard, the arrow keys move along it."
    return section("Curves", said, f'{choice}<div class="charts">{drawn}</div>\n')


def _curve(place: int, chart: Chart) -> str:
    columns = [Column("Epoch", True), *(Column(series.name, True) for series in chart.series)]
    rows = [
        [str(epoch), *(_value(series.values.get(epoch), chart.unit) for series in chart.series)]
        for epoch in chart.epochs
    ]
    values = folded("Values as a table", table(f"{chart.title} by epoch", columns, rows))
    label = f"Curves of {chart.title.lower()} by epoch; the table below has the values"
    return f"""<figure><figcaption>{chart.title}{f" in {chart.unit}" if chart.unit else ""}</figcaption>
<div class="chart" data-chart="{place}" tabindex="0" role="img" aria-label="{label}"></div>
{values}</figure>
"""


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.5g}{unit}"


def data_of(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """The curves for the script."""
    return [chart.data() for chart in charts]


def scripted(data: Sequence[dict[str, Any]], more: str = "") -> str:
    """The end of a page: its curves as data, and what it runs."""
    told = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    run = "".join(f"<script>{script}</script>\n" for script in (*scripts(), more) if script)
    return f'<script type="application/json" id="curves">{told}</script>\n{run}'


def scripts() -> tuple[str, ...]:
    """What every report runs."""
    licence = _asset("uPlot.LICENSE").replace("*/", "")
    return f"/*!\n{licence}\n*/\n{_asset('uPlot.iife.min.js')}", _asset("report.js")


def style() -> str:
    """The rules of every report."""
    return _asset("uPlot.min.css") + _asset("report.css")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
