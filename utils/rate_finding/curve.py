"""The loss at ever higher learning rates: what is drawn, and where it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

SMOOTHING = 0.98  # what the mean keeps of itself from one loss to the next
DIVERGED = 4.0  # times the least mean


def rising(first: float, last: float, count: int) -> np.ndarray:
    """`count` learning rates from `first` to `last`, each the same factor above the one before: (count,) float32.

    Smith 2017, https://arxiv.org/abs/1506.01186, section 3.3, lets them rise by a straight line; by a factor, as in
    fastai, all orders of magnitude get as many steps.
    """
    return np.geomspace(first, last, count).astype(np.float32)


@dataclass
class Curve:
    """Rates, the loss of the update with each (before it: of the weights that the lower rates left), and its running mean."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    _mean: float = 0.0

    def add(self, rate: float, loss: float) -> None:
        """Take the loss of one more rate.

        The running mean is exponential with the weight SMOOTHING, divided by 1 - SMOOTHING^n: so the first ones are means too.
        """
        self.rates.append(rate)
        self.losses.append(loss)
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.smoothed.append(self._mean / (1 - SMOOTHING ** len(self.losses)))

    @property
    def has_diverged(self) -> bool:
        """Whether the loss is not finite, or its mean more than DIVERGED times the least one."""
        return bool(self.losses) and not (
            math.isfinite(self.losses[-1]) and self.smoothed[-1] <= DIVERGED * min(self.smoothed)
        )

    @property
    def finite(self) -> int:
        """How many of the losses, from the first one on, are finite."""
        return next((place for place, loss in enumerate(self.losses) if not math.isfinite(loss)), len(self.losses))
