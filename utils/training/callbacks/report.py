"""The report of a run, once it has ended."""

from __future__ import annotations

from mindzoo.utils.reports import report
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class Report(Callback):
    """Writes report.html into the run's folder; called after the callbacks that write."""

    def on_end(self, run: RunState) -> None:
        if run.world.rank == 0:
            report.write_at_end(run.folder.path)
