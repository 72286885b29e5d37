"""The running mean of the losses, where a test ends, and the rates that a curve suggests, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mindzoo.utils.rate_finding.curve import Curve, rising
from mindzoo.utils.rate_finding.suggestion import falling, suggestions, trend


def curve(*losses: float, rates: np.ndarray | None = None) -> Curve:
    made = Curve()
    for place, loss in enumerate(losses):
        made.add(float(rates[place]) if rates is not None else 10.0 ** (place - 20), loss)
    return made


def of_means(*means: float) -> Curve:
    """A curve whose losses are its running means, from 1 on with a factor of 10."""
    return Curve([10.0**place for place in range(len(means))], list(means), list(means))


def test_each_rate_is_the_same_factor_above_the_one_before() -> None:
    np.testing.assert_allclose(rising(1e-3, 10, 5), [1e-3, 1e-2, 0.1, 1, 10], rtol=1e-6)
    assert rising(1e-3, 10, 5).dtype == np.float32


def test_the_running_mean_is_corrected_for_its_beginning() -> None:
    found = curve(1.0, 3.0, 2.0)
    wanted = [1.0, (0.98 * 1 + 3) / 1.98, (0.98**2 * 1 + 0.98 * 3 + 2) / (0.98**2 + 0.98 + 1)]
    assert found.smoothed == pytest.approx(wanted, rel=1e-12)


def test_it_ends_above_four_times_the_least_mean_or_at_a_loss_that_is_not_finite() -> None:
    # The mean after 1 and x is (0.98 + x) / 1.98: more than 4 above x = 6.94.
    assert not curve().has_diverged
    assert not curve(1.0, 6.93).has_diverged
    assert curve(1.0, 6.95).has_diverged
    assert curve(1.0, math.nan).has_diverged
    assert curve(math.inf).has_diverged
    assert curve(1.0, 2.0, math.nan).finite == 2


def test_the_longest_fall() -> None:
    assert falling(np.array([5.0, 3, 4, 2, 2, 1])) == [0, 1, 3, 5]
    assert falling(np.array([1.0, 1, 2])) == [0]
    assert falling(np.array([1.0, 9, 8, 7, 2, 3])) == [1, 2, 3, 4]


def test_the_trend_of_losses() -> None:
    # Of three pairs two fall and one rises; the variance is 3 * 2 * 11 / 18.
    assert trend([3.0, 1.0, 2.0]) == pytest.approx(-1 / math.sqrt(66 / 18))
    assert trend([1.0, 1.0, 1.0, 1.0]) == 0
    assert trend([2.0]) == trend([]) == 0
    # One loss that is far off: 5 of 28 pairs rise.
    assert trend([9.0, 8, 7, 6, 5, 1000, 4, 3]) == pytest.approx((5 - 23) / math.sqrt(8 * 7 * 21 / 18))


def test_three_rates_are_suggested() -> None:
    # The first tenth, one of ten points, does not count. They fall from place 1 to 7, most at 5; the least is at 7.
    found = suggestions(of_means(9.5, 9, 8, 7, 6, 2, 1.5, 1, 7, 30))
    assert found is not None
    assert (found.valley, found.steepest, found.least) == (1e4, 1e5, 1e6)
    assert not found.still_falls


def test_rates_have_two_digits_and_the_last_one_may_be_the_least() -> None:
    found = suggestions(
        Curve([0.0012345 * 2**place for place in range(8)], [8.0, 7, 6, 5, 4, 3, 2, 1], [8.0, 7, 6, 5, 4, 3, 2, 1])
    )
    assert found is not None
    assert found.least == 0.016
    assert found.still_falls


@pytest.mark.parametrize(
    "losses",
    [
        [2.0] * 100,
        [1.0 + place for place in range(20)],
        [2.0, math.nan],
        [math.nan],
        [],
        [3.0, 2.0],
    ],
    ids=["flat", "rising", "diverged at once", "never finite", "nothing", "two points"],
)
def test_nothing_is_suggested_where_nothing_falls(losses: list[float]) -> None:
    assert suggestions(curve(*losses)) is None


def test_chance_alone_suggests_nothing_and_a_fall_within_it_is_found() -> None:
    rates = rising(1e-5, 10, 100)
    noise = np.random.default_rng(0).normal(0, 0.1, (80, 100))
    found = [suggestions(curve(*(2.3 + row), rates=rates)) for row in noise]
    assert sum(one is not None for one in found) <= 2
    fall = 2.3 - 0.6 * np.clip(np.arange(100) - 60, 0, 25) / 25
    of_falls = [suggestions(curve(*(fall + row), rates=rates)) for row in noise[:20]]
    assert sum(one is not None for one in of_falls) >= 18
