"""What one does with the folder of a run."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.reports.keys import CompareConfig, ReportConfig
from mindzoo.utils.watching.keys import WatchConfig


def _report(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.reports import report

    report.run(loaded.config)


REPORT = Command(
    name="report",
    help="a page of what a training or an evaluation did: report RUN",
    config=lambda _: ReportConfig,
    run=_report,
    verb="Write a page of what a training or an evaluation did",
    examples=("RUN", "RUN --output page.html"),
    operands=" RUN",
    of_a_network=False,
    needs_mindspore=False,
)


def _compare(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.reports import compare

    compare.run(loaded.config)


COMPARE = Command(
    name="compare",
    help="what differs between trainings or evaluations: compare RUN1 RUN2",
    config=lambda _: CompareConfig,
    run=_compare,
    verb="Say what differs between trainings or evaluations: settings, results, images that only one gets right",
    examples=("RUN1 RUN2", "RUN1 RUN2 RUN3 --output three.html"),
    operands=" RUN1 RUN2 ...",
    of_a_network=False,
    needs_mindspore=False,
)


def _watch(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.watching import watch

    watch.run(loaded.config)


WATCH = Command(
    name="watch",
    help="pages of runs in the browser, refreshed while they go on: watch FOLDER",
    config=lambda _: WatchConfig,
    run=_watch,
    verb="Show runs in the browser while they go on: a page of each, and a list of all below a folder",
    examples=("RUN", "FOLDER --port 8000"),
    operands=" FOLDER ...",
    of_a_network=False,
    needs_mindspore=False,
)
