"""Learning rates: one float32 for every step of a training.

A schedule is a function of the epoch, counted from 0; `per_step` lays it out over the steps and puts a warmup before
it. The learning rate is constant within an epoch, as in the original zoo's DenseNet.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

import numpy as np

Schedule = Callable[[int], float]


def cosine_annealing(lr: float, eta_min: float, t_max: int) -> Schedule:
    """eta_min + (lr - eta_min) (1 + cos(pi epoch / t_max)) / 2: half a cosine from `lr` to `eta_min` in `t_max` epochs.

    SGDR without restarts, Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5.
    """
    return lambda epoch: eta_min + (lr - eta_min) * (1 + math.cos(math.pi * epoch / t_max)) / 2


def multi_step(lr: float, milestones: Sequence[int], gamma: float) -> Schedule:
    """`lr` times `gamma` for each milestone that the epoch has reached. The original zoo calls it `exponential`."""
    ordered = sorted(milestones)
    return lambda epoch: lr * gamma ** bisect.bisect_right(ordered, epoch)


def per_step(schedule: Schedule, *, epochs: int, steps_per_epoch: int, lr: float, warmup_epochs: int = 0) -> np.ndarray:
    """The learning rate of each of the `epochs * steps_per_epoch` steps, float32.

    During the warmup step i (from 0) has `lr * (i + 1) / warmup_steps`; after it the schedule stands where its own
    epoch says, so milestones inside the warmup are not lost.
    """
    rates = np.repeat([schedule(epoch) for epoch in range(epochs)], steps_per_epoch)
    warmup = min(warmup_epochs, epochs) * steps_per_epoch
    rates[:warmup] = lr * np.arange(1, warmup + 1) / max(warmup_epochs * steps_per_epoch, 1)
    return rates.astype(np.float32)
