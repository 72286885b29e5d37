"""The report of one run or of several over each other, as one page that loads nothing from anywhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mindzoo.utils.errors import counted, visible
from mindzoo.utils.pages import frame
from mindzoo.utils.reports import curves, sections
from mindzoo.utils.reports.curves import Chart
from mindzoo.utils.reports.markup import Column, folded, number, percent, section, table, word
from mindzoo.utils.reports.reading import Run, finite

ASSETS = Path(__file__).with_name("assets")
COLORS = 8  # that the style has


def text(runs: Sequence[Run]) -> str:
    """The page."""
    names = names_of(runs)
    several = len(runs) > 1
    charts = curves.charts(runs, [visible(name) for name in names] if several else [""])
    main = (
        (_table(runs, names) if several else sections.overview(runs[0])) + _curves(charts, names) + _runs(runs, names)
    )
    title = "Comparison of runs" if several else f"Run {visible(names[0])}"
    about = counted(len(runs), "run") if several else _origin_of(runs[0])
    style = _asset("uPlot.min.css") + _asset("report.css")
    return frame.document(title, about, main + _script(charts), style=style)


def _origin_of(run: Run) -> str:
    """Network and time, as far as they are known."""
    return visible(", ".join(filter(None, (run.network, str(run.environment.get("started", ""))))))


def names_of(runs: Sequence[Run]) -> list[str]:
    """Names that differ: those of the folders, with the one above where two have the same, or else a number."""
    names = [run.name for run in runs]
    if len({*names}) < len(names):
        names = [f"{run.folder.absolute().parent.name}/{run.name}" for run in runs]
    if len({*names}) < len(names):
        names = [f"{place}: {run.name}" for place, run in enumerate(runs, 1)]
    return names


def _table(runs: Sequence[Run], names: Sequence[str]) -> str:
    columns = [Column("Run"), *(Column(name, True) for name in ("Epochs", "Best top-1", "Last mean loss", "Images/s"))]
    rows = []
    for place, (run, name) in enumerate(zip(runs, names, strict=True)):
        last = run.epochs[-1] if run.epochs else {}
        best = percent(run.best["top1"] / run.best["total"]) if run.best else "-"
        values = [number(finite(last, key)) for key in ("mean_loss", "images_per_second")]
        rows.append([f'<a href="#run{place}">{word(name)}</a>', str(last.get("epoch", -1) + 1), best, *values])
    return section("Runs", "", table("Runs", columns, rows))


def _curves(charts: Sequence[Chart], names: Sequence[str]) -> str:
    """Places that the script draws into, each with a table of its values."""
    if not charts:
        return ""
    choice = ""
    if len(names) > 1:
        boxes = [
            f'<label><input type="checkbox" checked data-run="{place}"><i class="color{place % COLORS}"></i>{word(name)}</label>'
            for place, name in enumerate(names)
        ]
        choice = f"<fieldset><legend>Runs that are drawn</legend>{''.join(boxes)}</fieldset>"
    drawn = "".join(_curve(place, chart) for place, chart in enumerate(charts))
    said = "Point at a curve to read its values; with the keyboard, the arrow keys move along it."
    return section("Curves", said, f'{choice}<div class="charts">{drawn}</div>\n')


def _curve(place: int, chart: Chart) -> str:
    columns = [Column("Epoch", True), *(Column(visible(series.name), True) for series in chart.series)]
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


def _runs(runs: Sequence[Run], names: Sequence[str]) -> str:
    if len(runs) == 1:
        return sections.of_run(runs[0])
    return "".join(
        f'<details class="run" id="run{place}"{" open" if place == 0 else ""}><summary><h2>{word(name)}</h2></summary>\n'
        f"{sections.overview(run)}{sections.of_run(run)}</details>\n"
        for place, (run, name) in enumerate(zip(runs, names, strict=True))
    )


def _script(charts: Sequence[Chart]) -> str:
    data = json.dumps([chart.data() for chart in charts], ensure_ascii=False).replace("<", "\\u003c")
    licence = _asset("uPlot.LICENSE").replace("*/", "")
    return f"""<script type="application/json" id="curves">{data}</script>
<script>/*!
{licence}
*/
{_asset("uPlot.iife.min.js")}</script>
<script>{_asset("report.js")}</script>
"""


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
