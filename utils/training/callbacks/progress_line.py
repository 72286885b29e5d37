"""The progress line: step, loss, learning rate, speed, time spent waiting for data, time to go."""

from __future__ import annotations

import time

from mindzoo.utils.progress.work import Work, duration
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import Clock, RunState

# Seconds between two updates on a terminal; more often is flicker.
REFRESH = 0.2


class ProgressLine(Callback):
    """A line at the first step and every `log_interval` steps; on a terminal one that is updated in place."""

    def __init__(self) -> None:
        self.shown_at = 0.0
        self.work: Work | None = None

    def on_step(self, run: RunState) -> None:
        if run.progress.how == "json":
            self.work = self.work or Work("train", run.last_step, "steps", done=run.step_before)
            self.work.advance(run.step - self.work.done)
            return
        if run.progress.in_place:
            due = time.perf_counter() - self.shown_at >= REFRESH
        else:
            due = not self.shown_at or run.reached_multiple(run.config.log_interval)
        if due:
            run.read_loss()
            run.progress.show(self.text(run))
            self.shown_at = time.perf_counter()

    def on_epoch_end(self, run: RunState) -> None:
        run.progress.clear()

    def on_error(self, run: RunState) -> None:
        self.on_end(run)

    def on_end(self, run: RunState) -> None:
        if self.work:
            self.work.end()

    def text(self, run: RunState) -> str:
        clock = run.epoch_clock
        left = (run.last_step - run.step) * clock.seconds / max(clock.steps, 1)
        return (
            f"epoch {run.epoch + 1}/{run.config.last_epoch} step {run.epoch_step}/{run.steps_per_epoch} "
            f"loss {run.loss:.4f} lr {run.lr:.3g} {run.images_per_second(clock):.1f} img/s "
            f"{waiting(clock)}ETA {duration(left)}"
        )


def waiting(clock: Clock) -> str:
    """The time that was spent on waiting for data, where that is known."""
    return "" if clock.waited is None else f"data {clock.waited:.1f}s ({clock.waited / clock.seconds:.0%}) "
