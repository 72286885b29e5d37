"""The learning rates of the key `schedule`: one float32 for every step of a training, of any network."""

from __future__ import annotations

from typing import Any

import numpy as np

from mindzoo.utils.config import rate_keys
from mindzoo.utils.learning import schedules
from mindzoo.utils.learning.schedules import Decay


def rates(config: Any, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of each of the `max_epoch * steps_per_epoch` steps that a TrainConfig asks for, float32.

    Step i (from 0) of the warmup has `lr (i + 1) / warmup steps`. Epochs of `decay_epochs` are those of the training;
    all other schedules cover the steps after the warmup.
    """
    steps = config.max_epoch * steps_per_epoch
    if config.schedule == rate_keys.ONE_CYCLE:
        start = config.lr / config.cycle_start
        return one_cycle(config.lr, steps, rise=config.cycle_rise, start=start, end=config.final_lr)
    milestones = config.decay_epochs if config.schedule == rate_keys.STEP else ()
    warmed = schedules.per_step(
        schedules.multi_step(config.lr, milestones, config.decay_factor),
        epochs=config.max_epoch,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        warmup_epochs=config.warmup_epochs,
    )
    if config.schedule not in (rate_keys.STEP, rate_keys.PLATEAU):
        left = steps - min(config.warmup_epochs, config.max_epoch) * steps_per_epoch
        warmed[steps - left :] = _decay(config)(np.arange(left) / max(left, 1))
    return warmed


def _decay(config: Any) -> Decay:
    """The schedule as a function of the share that is done, 0 to 1."""
    if config.schedule == rate_keys.COSINE:
        return half_cosine(config.lr, config.final_lr)
    if config.schedule == rate_keys.POLYNOMIAL:
        return lambda done: config.final_lr + (config.lr - config.final_lr) * (1 - done) ** config.poly_power
    epochs = max(config.max_epoch - config.warmup_epochs, 1)
    cosine = half_cosine(config.lr, config.final_lr)
    return lambda done: cosine(_since_restart(done * epochs, config.restart_epochs, config.restart_growth))


def half_cosine(lr: float, end: float) -> Decay:
    """end + (lr - end) (1 + cos(pi done)) / 2. Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983."""
    return lambda done: end + (lr - end) * (1 + np.cos(np.pi * done)) / 2


def _since_restart(epochs: np.ndarray, first: int, growth: float) -> np.ndarray:
    """The share, from 0 to below 1, of its own cosine that is done after so many epochs (N,): SGDR, section 3."""
    starts, lengths = [0.0], [float(first)]
    while starts[-1] + lengths[-1] <= epochs.max(initial=0.0):
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * growth)
    # A restart lies at the step whose epoch is just that, also where this is not exact in binary.
    own = np.searchsorted(starts, epochs + 1e-9, side="right") - 1
    return np.maximum(epochs - np.asarray(starts)[own], 0.0) / np.asarray(lengths)[own]


def one_cycle(lr: float, steps: int, *, rise: float, start: float, end: float) -> np.ndarray:
    """Half a cosine up from `start` to `lr` in the first `rise` of the steps, another one down to `end`, float32.

    Smith and Topin 2017, https://arxiv.org/abs/1708.07120, with the cosines of fastai and PyTorch. The momentum, which
    both move the other way, stays as it is.
    """
    top, last = rise * steps - 1, steps - 1
    step = np.arange(steps)
    up = half_cosine(start, lr)(step / top if top > 0 else np.ones(steps))
    down = half_cosine(lr, end)((step - max(top, 0)) / max(last - max(top, 0), 1e-9))
    return np.where(step <= top, up, down).astype(np.float32)
