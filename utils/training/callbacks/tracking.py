"""The values of the training for the trackers that were asked for, on rank 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mindzoo.utils.config import reading
from mindzoo.utils.reports.reading import finite
from mindzoo.utils.trackers.several import Several
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class Tracking(Callback):
    """Shows values every `log_interval` steps; those of epochs and evaluations as metrics.jsonl has them.

    Called after the evaluation.
    """

    def __init__(self, run: RunState, trackers: Several) -> None:
        self.trackers = trackers
        # The end of an epoch is shown again: the run may have died before the trackers were told of it.
        at_end = run.epoch_step == run.steps_per_epoch
        trackers.start(reading.plain(run.config), run.step + (run.step > 0 and not at_end))

    def on_resume(self, run: RunState) -> None:
        self.on_epoch_end(run)

    def on_step(self, run: RunState) -> None:
        if run.reached_multiple(run.config.log_interval) and run.epoch_step < run.steps_per_epoch:
            run.read_loss()
            clock = run.epoch_clock
            speed, waiting = run.images_per_second(clock), math.nan if clock.waited is None else clock.waited
            self._log(run, of_training(run.loss, run.lr, speed, waiting / clock.seconds))

    def on_epoch_end(self, run: RunState) -> None:
        for row in run.folder.metrics(run.step):
            self._log(run, of_row(row))

    def on_error(self, run: RunState) -> None:
        self.trackers.finish()

    def on_end(self, run: RunState) -> None:
        self.trackers.finish()

    def _log(self, run: RunState, values: Mapping[str, float]) -> None:
        """Without what is not known; a loss that is not finite is kept away too, and metrics.jsonl has null for it."""
        self.trackers.log(run.step, {name: value for name, value in values.items() if math.isfinite(value)})


def of_training(loss: float, lr: float, images_per_second: float, waiting: float) -> dict[str, float]:
    """Of a step. `waiting`: the share of the time, 0..1, that was spent on waiting for data."""
    return {
        "train/loss": loss,
        "train/lr": lr,
        "train/images_per_second": images_per_second,
        "train/waiting_share": waiting,
    }


def of_row(row: Mapping[str, Any]) -> dict[str, float]:
    """Of a line of metrics.jsonl; NaN for what it does not say."""
    if row.get("kind") == "evaluation":
        total = finite(row, "total") or math.nan
        shares = {f"evaluation/{key}": finite(row, key) / total for key in ("top1", "top5")}
        others = ("loss", "balanced_accuracy", "macro_f1", "calibration_error")
        return {**shares, **{f"evaluation/{key}": finite(row, key) for key in others}}
    waiting = finite(row, "data_seconds") / (finite(row, "seconds") or math.nan)
    last = of_training(finite(row, "loss"), finite(row, "lr"), finite(row, "images_per_second"), waiting)
    return {**last, "epoch/mean_loss": finite(row, "mean_loss"), "epoch/seconds": finite(row, "seconds")}
