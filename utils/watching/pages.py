"""What is sent: the page of a run, the list of all, and what has changed in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError, counted, visible, without_middle
from mindzoo.utils.pages import frame
from mindzoo.utils.reports import curves, page, sections
from mindzoo.utils.reports.curves import Chart
from mindzoo.utils.reports.markup import LONGEST_NAME, Column, number, percent, section, table, word
from mindzoo.utils.reports.reading import Run
from mindzoo.utils.watching.runs import WatchedRuns
from mindzoo.utils.watching.summary import SILENT, VANISHED, State, Summary

ASSETS = Path(__file__).with_name("assets")
MOST_CURVES = 8  # runs over each other, as many as there are colours
COLUMNS = (
    Column("Run"), Column("State"), Column("Epoch", True), Column("Best top-1", True),
    Column("Last loss", True),
    Column("Network"),
)  # fmt: skip


def script() -> str:
    """What a page runs beside a report's scripts."""
    return (ASSETS / "watch.js").read_text(encoding="utf-8")


def style() -> str:
    """The rules of a page beside those of a report."""
    return (ASSETS / "watch.css").read_text(encoding="utf-8")


def of_run(runs: WatchedRuns, identity: str) -> str:
    """The report of a run, that goes on asking for news.

    Raises:
        KeyError: there is none of this identity.
        UserError: it cannot be read.
    """
    return runs.page(
        identity,
        lambda run: page.text(
            [run],
            menu=f'<p><a href="../">All runs</a></p>{_live(f"{identity}.json", _shape(run))}',
            more_style=style(),
            more_script=script(),
        ),
    )


def news_of_run(runs: WatchedRuns, identity: str) -> dict[str, Any]:
    """The state, the numbers and the curves of a run. `shape` differs where the page is to be fetched anew.

    Raises:
        KeyError: there is none of this identity.
    """
    _, state = runs.state(identity)
    told: dict[str, Any] = {"state": f"This run: {state}.", "kind": state.kind}
    try:
        run = runs.run(identity)
    except UserError as error:
        fault = "Its folder is not there any more; what was last read stays." if state.kind == VANISHED else str(error)
        return {**told, "state": f"{told['state']} {fault}"}
    charts = curves.charts([run], [""])
    return {**told, "shape": _shape(run), "cards": sections.cards(run), "charts": page.data_of(charts)}


def of_list(runs: WatchedRuns) -> str:
    """All runs as a table, and room for the curves of those that are chosen."""
    rows = [_cells(runs, identity, *found) for identity, found in runs.look().items()]
    said = f"Choose up to {MOST_CURVES} runs to see their curves over each other. The heads of the columns sort."
    shown = section("Runs", said, table("Runs", COLUMNS, rows))
    tops = ", ".join(map(str, runs.tops))
    return frame.document(
        "Runs",
        "",
        shown + '<div id="chosen"></div>\n' + page.scripted([], script()),
        style=page.style() + style(),
        menu=f"<p>{word(tops, 400)}</p>{_live('runs.json', '')}",
    )


def news_of_list(runs: WatchedRuns, chosen: Sequence[str]) -> dict[str, Any]:
    """The rows of the table, and the curves of the runs that are chosen.

    Args:
        chosen: identities; unknown ones, and those above MOST_CURVES, are passed over.
    """
    found = runs.look()
    told: dict[str, Any] = {
        "state": _counts([state for _, state in found.values()]),
        "kind": "",
        "rows": [{"run": identity, "cells": _cells(runs, identity, *one)} for identity, one in found.items()],
    }
    names, drawn = [], []
    for identity in [one for one in dict.fromkeys(chosen) if one in found][:MOST_CURVES]:
        try:
            drawn.append(runs.run(identity))
        except UserError:  # the table says what is the matter with it
            continue
        names.append(identity)
    charts = curves.charts(drawn, page.names_of(drawn))
    shape = _shape_of(charts, names)
    return {
        **told,
        "shape": shape,
        "charts": page.data_of(charts),
        "curves": page.curves_of(charts, page.names_of(drawn)) if charts else _no_curves(names),
    }


def _no_curves(chosen: Sequence[str]) -> str:
    return section("Curves", "There is nothing to draw yet: no epoch has ended.", "") if chosen else ""


def sentence(said: str) -> str:
    """A page that says why there is nothing to see."""
    return frame.document("mindzoo watch", said, "")


def _live(address: str, shape: str) -> str:
    """Where the script says how the run is, and what it asks for."""
    return (
        f'<p class="live" role="status" data-news="{frame.escaped(address)}" data-shape="{shape}">'
        "<b></b> <span>This page asks for news every few seconds.</span></p>"
        "<noscript><p>Without JavaScript the page does not change by itself: load it again.</p></noscript>"
    )


def _cells(runs: WatchedRuns, identity: str, found: Summary, state: State) -> list[str]:
    name = runs.name(identity)
    box = f'<input type="checkbox" data-choose="{identity}" aria-label="Curves of {frame.escaped(without_middle(visible(name), LONGEST_NAME))}">'
    link = f'<a href="run/{identity}">{word(name)}</a>'
    fault = f"<small>{word(found.fault, 300)}</small>" if found.fault and state.kind != VANISHED else ""
    epoch = "-" if found.epoch is None else f"{found.epoch:,}"
    of_epochs = "" if found.epochs is None else f" of {found.epochs:,}"
    mark = f'<span class="state {"silent" if state.kind == SILENT else state.kind.replace(" ", "-")}">{state}</span>'
    return [
        f'<span class="choice">{box}{link}</span>{fault}',
        mark,
        f"{epoch}{of_epochs}",
        percent(found.best),
        number(found.loss),
        word(found.network or "-"),
    ]


def _counts(states: Sequence[State]) -> str:
    if not states:
        return "There is no run here yet. It is shown as soon as there is one."
    kinds = [state.kind for state in states]
    listed = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(sorted(kinds)))
    return f"{counted(len(kinds), 'run')}: {listed}."


def _shape(run: Run) -> str:
    """Another one where more than values has changed: an evaluation ended, a curve began, something is damaged."""
    charts = curves.charts([run], [""])
    evaluated = [str(len(run.evaluations)), str(run.best and run.best.get("epoch"))]
    return _shape_of(charts, [*evaluated, *(note for note in run.notes if "predictions" not in note)])


def _shape_of(charts: Sequence[Chart], more: Sequence[str]) -> str:
    parts = [*more, *(f"{chart.title}/{series.name}/{series.run}" for chart in charts for series in chart.series)]
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2s(text, digest_size=8).hexdigest()
