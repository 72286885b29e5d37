"""Which learning rates a curve suggests, or why it suggests none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mindzoo.utils.rate_finding.curve import Curve

SKIPPED = 0.1  # of the points: their means are of few losses
SURE = 3.3  # standard errors: about one curve of a hundred without a fall is taken for one
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
    if means[first] - means[last] <= ROUNDING * abs(means[first]) or trend(curve.losses[: last + 1]) > -SURE:
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


def trend(losses: Sequence[float]) -> float:
    """How much more often a later loss is higher than an earlier one is lower, in standard errors of chance; below 0 where they fall.

    Mann's test: Kendall's S over the root of its variance, n (n - 1) (2 n + 5) / 18 (Mann 1945, https://doi.org/10.2307/1907187).
    Single losses that are far off, as they are at high rates, count no more than others.
    """
    values, count = np.asarray(losses), len(losses)
    signs = np.sign(values[None, :] - values[:, None])
    return float(np.triu(signs).sum() / math.sqrt(max(count * (count - 1) * (2 * count + 5) / 18, 1)))


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
