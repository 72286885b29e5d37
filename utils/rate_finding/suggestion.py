"""Which learning rates a curve suggests, or why it suggests none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mindzoo.utils.rate_finding.curve import SMOOTHING, Curve

SKIPPED = 0.1  # of the points: their means are of few losses
SURE = 3.0  # standard errors
ROUNDING = 1e-4  # of the loss
BELOW_THE_LEAST = 10.0  # what the rate of the least loss is divided by


@dataclass(frozen=True)
class Suggestions:
    """Three rates that the curve of a test suggests."""

    valley: float  # in the middle of the longest fall
    steepest: float  # where the mean falls most, by the logarithm of the rate
    least: float  # a tenth of that with the least mean
    still_falls: bool  # at the last rate of all


def suggestions(curve: Curve) -> Suggestions | None:
    """What the means of a curve suggest; None where they do not fall by more than chance would have it."""
    means = np.asarray(curve.smoothed[: curve.finite])
    first = math.ceil(SKIPPED * len(means))
    if len(means) <= first + 1:
        return None
    last = first + int(means[first:].argmin())
    chance = max(SURE * standard_error(curve.losses[: last + 1], first), ROUNDING * abs(means[first]))
    if last == first or means[first] - means[last] <= chance:
        return None
    fall = falling(means[first : last + 1])
    steps = np.diff(means[first : last + 1])
    return Suggestions(
        valley=rounded(curve.rates[first + (fall[0] + fall[-1]) // 2]),
        steepest=rounded(curve.rates[first + int(steps.argmin()) + 1]),
        least=rounded(curve.rates[last] / BELOW_THE_LEAST),
        still_falls=last == len(curve.losses) - 1,
    )


def rounded(rate: float) -> float:
    """To two digits: a test does not know more."""
    return float(f"{rate:.1e}")


def standard_error(losses: Sequence[float], first: int) -> float:
    """Of the difference between the running means at `first` and at the last loss, were the two independent.

    The spread of the losses is taken from the differences of neighbours, so that a fall of the curve does not count as one.
    """
    variance = float(np.mean(np.square(np.diff(losses)))) / 2
    return math.sqrt(variance * (squared_weights(first + 1) + squared_weights(len(losses))))


def squared_weights(count: int) -> float:
    """The sum of the squares of the weights that the running mean of `count` losses gives them: its variance over theirs."""
    weights = SMOOTHING ** np.arange(count)
    return float(np.square(weights / weights.sum()).sum())


def falling(values: np.ndarray) -> list[int]:
    """Places, in their order, of the longest choice of values (N,) of which each is lower than the one before."""
    lengths, before = np.ones(len(values), np.int64), np.full(len(values), -1)
    for place in range(1, len(values)):
        higher = np.flatnonzero(values[:place] > values[place])
        if len(higher):
            before[place] = higher[lengths[higher].argmax()]
            lengths[place] = lengths[before[place]] + 1
    places = [int(lengths.argmax())]
    while before[places[0]] >= 0:
        places.insert(0, int(before[places[0]]))
    return places
