"""What one does with the folder of a run."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.reports.keys import ReportConfig


def _report(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.reports import report

    report.run(loaded.config)


REPORT = Command(
    name="report",
    help="a page of what a training or an evaluation did: report RUN",
    config=lambda _: ReportConfig,
    run=_report,
    verb="Write a page of what a training or an evaluation did, or several over each other",
    examples=("RUN", "RUN1 RUN2 --output both.html"),
    operands=" RUN ...",
    of_a_network=False,
    needs_mindspore=False,
)
