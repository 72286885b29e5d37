"""The state of a training that is under way: what the loop counts and the callbacks read."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mindspore import Tensor

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.records import EpochRecord
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training.run_folder import RunFolder

# Of the state: what a checkpoint brings back.
RESTORED = ("epoch", "epoch_step", "best", "evaluation", "waited", "to_beat", "loss_sum", "loss_count")


def last_step(config: TrainConfig, steps_per_epoch: int) -> int:
    """Where a training ends: after `max_epoch` epochs, or `end_epoch`, or `max_steps` steps where that is sooner."""
    whole = config.last_epoch * steps_per_epoch
    return min(whole, config.max_steps or whole)


def out_of_patience(config: TrainConfig, waited: int) -> bool:
    """Whether so many evaluations in a row that were no better end a training."""
    return bool(config.patience) and waited >= config.patience


@dataclass
class Clock:
    """Seconds and steps since it was started."""

    started: float = field(default_factory=time.perf_counter)
    waited: float | None = 0.0  # for data; None: the device waits by itself, and nobody knows
    steps: int = 0

    @property
    def seconds(self) -> float:
        return max(time.perf_counter() - self.started, 1e-9)


@dataclass
class RunState:
    """One training. `epoch` is the one under way, from 0; `step` and `epoch_step` count steps that are done."""

    spec: ModelSpec
    config: TrainConfig
    world: World
    folder: RunFolder
    train_step: TrainStep
    rates: np.ndarray
    steps_per_epoch: int
    meta: Mapping[str, Any]  # what every checkpoint says beside the counts
    progress: ProgressDisplay
    epoch: int = 0
    epoch_step: int = 0
    best: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None  # of the weights as they are now; None where there was none
    waited: int = 0  # evaluations since one that counts as better for `patience`
    to_beat: float = -1.0  # the metric of that one; below 0: there was none
    loss_sum: float = 0.0  # of this epoch's steps, also those before a resume
    loss_count: int = 0
    loss: float = math.nan  # of the last step that was read
    saved: str = ""  # the newest checkpoint
    step_before: int = 0  # `step` at the call of the callbacks before this one
    rate_share: float = 1.0  # of `rates` that the epoch under way has, see `Plateau`
    epoch_clock: Clock = field(default_factory=Clock)
    between_steps: bool = True  # the weights are those after `step`: no step is under way, none has failed
    _last: Tensor | None = None  # the loss of the step that may still be computing

    @property
    def step(self) -> int:
        """Steps done since the beginning of the training, over all its runs."""
        return self.epoch * self.steps_per_epoch + self.epoch_step

    @property
    def last_step(self) -> int:
        """Where the run ends."""
        return last_step(self.config, self.steps_per_epoch)

    @property
    def out_of_patience(self) -> bool:
        """Whether too many evaluations were no better."""
        return out_of_patience(self.config, self.waited)

    def reached_multiple(self, interval: int) -> bool:
        """Whether the steps since the last call of the callbacks reached a multiple of `interval`; 0 never is."""
        return bool(interval) and self.step // interval > self.step_before // interval

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return float(self.rates[max(self.step - 1, 0)]) * self.rate_share

    def advance(self, loss: Tensor) -> None:
        """Count a step with this loss.

        Reads the loss of the step before, so that the device always has one step to work on.
        """
        self.read_loss()
        self._last = loss
        self._count(1)

    def advance_block(self, losses: np.ndarray) -> None:
        """Count steps that are done, with these losses (N,) float32.

        Raises:
            UserError: one of them is not finite.
        """
        for done, loss in enumerate(losses.tolist(), start=1):
            self._take(loss, self.step + done)
        if len(losses):
            self._count(len(losses))
        self.between_steps = True

    def _count(self, steps: int) -> None:
        self.evaluation = None
        self.step_before = self.step
        self.epoch_step += steps
        self.between_steps = True
        self.epoch_clock.steps += steps

    def read_loss(self) -> None:
        """Wait for the last step.

        Raises:
            UserError: its loss is not finite.
        """
        if self._last is None:
            return
        loss = float(self._last.asnumpy().mean())
        self._last = None
        self._take(loss, self.step)

    def _take(self, loss: float, step: int) -> None:
        self.loss = loss
        if math.isfinite(loss):
            self.loss_sum += loss
            self.loss_count += 1
        elif not self.train_step.dynamic:
            raise UserError(
                f"the loss is {loss} at step {step} (epoch {self.epoch + 1}); the last good checkpoint is "
                f"{self.saved or 'none'}; try a smaller lr, clip_norm, or is_dynamic_loss_scale with float16"
            )

    def begin_epoch(self) -> None:
        """Begin the epoch under way, or go on in the middle of it."""
        if self.epoch_step == self.steps_per_epoch:
            self.epoch, self.epoch_step = self.epoch + 1, 0
        if self.epoch_step == 0:
            self.loss_sum, self.loss_count = 0.0, 0
        self.epoch_clock = Clock()

    def counts(self) -> dict[str, Any]:
        """What a checkpoint says of the place that the training is at, so that it can go on from there."""
        return {name: getattr(self, name) for name in (*RESTORED, "step", "steps_per_epoch")}

    def images_per_second(self, clock: Clock) -> float:
        """Over all ranks."""
        return clock.steps * self.config.batch_size * self.world.size / clock.seconds

    def record(self) -> EpochRecord:
        """The epoch that just ended."""
        return EpochRecord(
            epoch=self.epoch,
            epochs=self.config.last_epoch,
            step=self.step,
            epoch_step=self.epoch_step,
            steps_per_epoch=self.steps_per_epoch,
            steps_in_epoch=self.epoch_clock.steps,
            loss=self.loss,
            mean_loss=self.loss_sum / self.loss_count if self.loss_count else math.nan,
            lr=self.lr,
            seconds=self.epoch_clock.seconds,
            images_per_second=self.images_per_second(self.epoch_clock),
        )
