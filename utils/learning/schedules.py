"""Learning rates: one float32 for every step of a training.

A schedule is a function of the epoch, counted from 0; `per_step` lays it out over the steps and puts a warmup before
it. The learning rate is constant within an epoch, as in the original zoo's DenseNet.

A decay is a function of the share of the training that is done, 0 to 1; `decaying` evaluates it at every step, after a
warmup, as in the original zoo's other networks.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

import numpy as np

Schedule = Callable[[int], float]
Decay = Callable[[np.ndarray], np.ndarray]  # share that is done -> learning rate


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


def linear(lr: float, lr_end: float) -> Decay:
    """A straight line from `lr` to `lr_end`."""
    return lambda done: lr - (lr - lr_end) * done


def polynomial(lr: float, power: float = 2.0) -> Decay:
    """lr (1 - done)^power."""
    return lambda done: lr * (1 - done) ** power


def linear_cosine(lr: float) -> Decay:
    """lr ((1 - done) (1 + cos(0.94 pi done)) / 2 + 1e-5): a line times most of half a cosine.

    Bello et al. 2017, https://arxiv.org/abs/1709.07417, section 4.3, with the original zoo's constants.
    """
    return lambda done: lr * ((1 - done) * 0.5 * (1 + np.cos(0.94 * np.pi * done)) + 1e-5)


def stairs(lr: float, milestones: Sequence[float] = (0.3, 0.6, 0.8), gamma: float = 0.1) -> Decay:
    """`lr` times `gamma` for each share in `milestones` that is done."""
    return lambda done: lr * gamma ** np.searchsorted(np.asarray(milestones), done + 1e-9)


def named(mode: str, lr: float, lr_end: float) -> Decay:
    """The decay that the original zoo's ResNets call `mode`: Linear (to `lr_end`), poly, cosine or steps."""
    decays = {
        "Linear": linear(lr, lr_end),
        "poly": polynomial(lr),
        "cosine": linear_cosine(lr),
        "steps": stairs(lr),
    }
    return decays[mode]


def decaying(
    decay: Decay, *, epochs: int, steps_per_epoch: int, lr: float, lr_init: float = 0.0, warmup_epochs: int = 0
) -> np.ndarray:
    """The learning rate of each of the `epochs * steps_per_epoch` steps, float32.

    Step i (from 0) of the warmup has `lr_init + (lr - lr_init) i / warmup_steps`; the decay covers the steps after it.
    """
    total, warmup = epochs * steps_per_epoch, min(warmup_epochs, epochs) * steps_per_epoch
    rising = lr_init + (lr - lr_init) * np.arange(warmup) / max(warmup_epochs * steps_per_epoch, 1)
    falling = decay(np.arange(total - warmup) / max(total - warmup, 1))
    return np.concatenate([rising, falling]).astype(np.float32)


def thor_decay(
    lr_init: float,
    power: float,
    end_epoch: float,
    *,
    epochs: int,
    steps_per_epoch: int,
    halvings: Sequence[float] = (39, 40),
) -> np.ndarray:
    """The learning rate of each of the `epochs * steps_per_epoch` steps of a THOR training, float32.

    With e the epochs that are done after a step: lr_init (1 - e / end_epoch)^power, halved once more from each epoch of
    `halvings` on, and 0 after `end_epoch`. The original MindSpore zoo's formula and halvings.
    """
    done = epochs_done(epochs, steps_per_epoch)
    rates = lr_init * np.maximum(1 - done / end_epoch, 0.0) ** power
    return (rates * 0.5 ** np.searchsorted(sorted(halvings), done, side="right")).astype(np.float32)


def thor_damping(init: float, decay: float, *, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The damping of each of the `epochs * steps_per_epoch` steps of a THOR training, float32: init decay^(e / 10)."""
    return (init * decay ** (epochs_done(epochs, steps_per_epoch) / 10)).astype(np.float32)


def epochs_done(epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The epochs that are done after each step, float64: (i + 1) / steps_per_epoch for step i from 0."""
    return np.arange(1, epochs * steps_per_epoch + 1) / steps_per_epoch
