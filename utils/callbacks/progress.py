"""The progress line: step, loss, learning rate, speed, time spent waiting for data, time to go."""

from __future__ import annotations

import time

from mindzoo.utils.callbacks import Callback
from mindzoo.utils.run import Clock, Run

# Seconds between two updates on a terminal; more often is flicker.
REFRESH = 0.2


class ProgressLine(Callback):
    """Every `log_interval` steps a line; on a terminal one that is updated in place all the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.shown_at = 0.0
        self.next_step = 0

    def on_step(self, run: Run) -> None:
        interval = run.config.log_interval
        self.clock.steps += 1
        due = time.perf_counter() - self.shown_at >= REFRESH if run.progress.in_place else run.step >= self.next_step
        if due and run.losses:
            run.progress.show(self.text(run))
            self.shown_at = time.perf_counter()
        if run.step >= self.next_step:
            self.next_step = (run.step // interval + 1) * interval

    def on_epoch_end(self, run: Run) -> None:
        run.progress.clear()

    def text(self, run: Run) -> str:
        clock = run.epoch_clock
        left = (run.last_step - run.step) * clock.seconds / max(clock.steps, 1)
        return (
            f"epoch {run.epoch + 1}/{run.config.max_epoch} step {run.epoch_step}/{run.steps_per_epoch} "
            f"loss {run.losses[-1]:.4f} lr {run.lr:.3g} {run.images_per_second(clock):.1f} img/s "
            f"data {clock.waited:.1f}s ({clock.waited / clock.seconds:.0%}) ETA {duration(left)}"
        )


def duration(seconds: float) -> str:
    """1:02:03 for 3723."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
