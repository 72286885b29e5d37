"""Compares runs: tables on the terminal, and compare.html."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mindzoo.utils.errors import UserError, aligned, counted, visible, without_middle
from mindzoo.utils.files import check_output
from mindzoo.utils.log import logger
from mindzoo.utils.reports import differences, page, pairing
from mindzoo.utils.reports.differences import Differing
from mindzoo.utils.reports.keys import CompareConfig
from mindzoo.utils.reports.reading import Run, read_run

NAME = "compare.html"
LONGEST_CELL = 32  # characters


def run(config: CompareConfig) -> None:
    """Say what differs between runs, and write the page of it.

    Raises:
        UserError: fewer than two are named, one is no run, or the file cannot be written.
    """
    if len(config.runs) < 2:
        raise UserError("a comparison needs two runs or more; wanted their folders: mindzoo compare RUN1 RUN2")
    check_output("output", config.output, (".html",))
    runs = [read_run(Path(name)) for name in config.runs]
    page.warn(runs)
    for line in _lines(runs, page.names_of(runs)):
        logger.info("%s", line)
    page.write(runs, Path(config.output or NAME))


def _lines(runs: Sequence[Run], names: Sequence[str]) -> Iterator[str]:
    yield from _table([[column.title for column in differences.RESULTS], *differences.results(runs, names)])
    yield from _differing("setting", differences.settings(runs), names)
    if some := differences.only_some(runs):
        yield f"and {counted(len(some), 'setting')} that only some of the runs have"
    yield from _differing("environment", differences.environments(runs), names)
    yield ""
    for place in range(1, len(runs)):
        yield from _pair(runs[0], runs[place], (names[0], names[place]))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return aligned([[without_middle(visible(cell), LONGEST_CELL) for cell in row] for row in rows])


def _differing(noun: str, rows: Sequence[Differing], names: Sequence[str]) -> Iterator[str]:
    yield ""
    if rows:
        yield from _table([[f"{noun} that differs", *names], *([row.name, *row.values] for row in rows)])
    else:
        yield f"{noun}: nothing differs"


def _pair(first: Run, second: Run, names: tuple[str, str]) -> Iterator[str]:
    title = " and ".join(names)
    if first.predictions is None or second.predictions is None:
        yield f"{title}: without the predictions of both nothing can be said image by image"
        return
    found = pairing.pair(first.predictions, second.predictions)
    yield f"{title}: {differences.common(found)}"
    if len(found):
        both, only_first, only_second, neither = found.table
        yield f"  both right {both:,}, only {names[0]} {only_first:,}, only {names[1]} {only_second:,}, both wrong {neither:,}"
        yield f"  McNemar's test: {differences.verdict(found)}"
