"""Learning rates against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from mindzoo.utils.learning.schedules import (
    Decay,
    Schedule,
    cosine_annealing,
    decaying,
    linear,
    linear_cosine,
    multi_step,
    per_step,
    polynomial,
    stairs,
    thor_damping,
    thor_decay,
)


def assert_rates(found: object, wanted: list[float]) -> None:
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("lr", "eta_min", "t_max", "wanted"),
    [
        (0.1, 0.0, 4, [0.1, 0.0853553391, 0.05, 0.0146446609]),
        (0.1, 0.02, 4, [0.1, 0.0882842712, 0.06, 0.0317157288]),
        (0.1, 0.0, 2, [0.1, 0.05, 0.0, 0.05]),  # shorter than the training: it rises again
        (0.1, 0.0, 8, [0.1, 0.0961939766, 0.0853553391, 0.0691341716]),  # longer: it does not get down
        (0.4, 0.0, 120, [0.4, 0.3999314614, 0.3997258926, 0.3993834668]),
    ],
)
def test_cosine_annealing(lr: float, eta_min: float, t_max: int, wanted: list[float]) -> None:
    schedule = cosine_annealing(lr, eta_min, t_max)
    assert_rates([schedule(epoch) for epoch in range(4)], wanted)


@pytest.mark.parametrize(
    ("milestones", "gamma", "wanted"),
    [
        ([2, 4], 0.1, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ([4, 2], 0.1, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ([1], 0.5, [0.1, 0.05, 0.05, 0.05, 0.05, 0.05]),
        ([3, 3], 0.5, [0.1, 0.1, 0.1, 0.025, 0.025, 0.025]),
        ([6, 100], 0.1, [0.1] * 6),
        ([], 0.1, [0.1] * 6),
    ],
)
def test_multi_step(milestones: list[int], gamma: float, wanted: list[float]) -> None:
    schedule = multi_step(0.1, milestones, gamma)
    assert_rates([schedule(epoch) for epoch in range(6)], wanted)


@pytest.mark.parametrize(
    ("schedule", "epochs", "warmup", "wanted"),
    [
        (cosine_annealing(0.1, 0.0, 3), 3, 0, [0.1, 0.1, 0.075, 0.075, 0.025, 0.025]),
        (cosine_annealing(0.1, 0.0, 3), 3, 1, [0.05, 0.1, 0.075, 0.075, 0.025, 0.025]),
        (multi_step(0.1, [1], 0.1), 3, 2, [0.025, 0.05, 0.075, 0.1, 0.01, 0.01]),  # the milestone is not lost
        (multi_step(0.1, [2], 0.1), 3, 2, [0.025, 0.05, 0.075, 0.1, 0.01, 0.01]),
        (multi_step(0.1, [2], 0.1), 3, 3, [0.1 / 6, 0.2 / 6, 0.05, 0.4 / 6, 0.5 / 6, 0.1]),
        (multi_step(0.1, [1], 0.1), 2, 4, [0.0125, 0.025, 0.0375, 0.05]),  # a warmup that is longer than the training
    ],
)
def test_steps_and_warmup(schedule: Schedule, epochs: int, warmup: int, wanted: list[float]) -> None:
    found = per_step(schedule, epochs=epochs, steps_per_epoch=2, lr=0.1, warmup_epochs=warmup)
    assert found.dtype == np.float32
    assert_rates(found, wanted)


def test_the_rate_is_constant_within_an_epoch() -> None:
    found = per_step(cosine_annealing(0.1, 0.0, 5), epochs=5, steps_per_epoch=7, lr=0.1).reshape(5, 7)
    assert (found == found[:, :1]).all()
    assert (np.diff(found[:, 0]) < 0).all()


def test_linear_rises_and_falls_step_by_step() -> None:
    found = decaying(linear(0.01, 0.001), epochs=3, steps_per_epoch=2, lr=0.01, lr_init=0.002, warmup_epochs=1)
    wanted = [0.002, 0.006, *(0.01 - 0.009 * i / 4 for i in range(4))]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("decay", "formula"),
    [
        (polynomial(0.6), lambda i: 0.6 * (1 - i / 10) ** 2),
        (linear_cosine(0.6), lambda i: 0.6 * ((10 - i) / 10 * 0.5 * (1 + math.cos(0.94 * math.pi * i / 10)) + 1e-5)),
        (stairs(0.6), lambda i: 0.6 * (1 if i < 3 else 0.1 if i < 6 else 0.01 if i < 8 else 0.001)),
    ],
)
def test_decays_over_ten_steps(decay: Decay, formula: Callable[[int], float]) -> None:
    found = decaying(decay, epochs=5, steps_per_epoch=2, lr=0.6)
    np.testing.assert_allclose(found, [formula(i) for i in range(10)], rtol=1e-6)


def test_a_warmup_longer_than_the_training_does_not_reach_its_end() -> None:
    found = decaying(linear(1.0, 0.0), epochs=2, steps_per_epoch=2, lr=1.0, warmup_epochs=4)
    np.testing.assert_allclose(found, [0, 1 / 8, 2 / 8, 3 / 8])


def test_thor_decay() -> None:
    found = thor_decay(0.1, 2.0, 5, epochs=4, steps_per_epoch=2, halvings=(2, 3))
    wanted = [0.081, 0.064, 0.049, 0.018, 0.0125, 0.004, 0.00225, 0.001]  # 0.1 (1 - e/5)^2 by 1, 1/2 from 2, 1/4 from 3
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_thor_decay_of_the_published_recipe() -> None:
    found = thor_decay(0.05672, 4.9687, 70, epochs=71, steps_per_epoch=1)
    # e = 1, 38, 39 (halved), 40 (halved again), 70 and past the end
    wanted = [0.0528065, 0.00116048, 0.00049556, 0.000210528, 0.0, 0.0]
    np.testing.assert_allclose(found[[0, 37, 38, 39, 69, 70]], wanted, rtol=2e-5)


def test_thor_damping() -> None:
    found = thor_damping(0.02, 0.25, epochs=20, steps_per_epoch=2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[[9, 19, 39]], [0.01, 0.005, 0.00125], rtol=1e-6)  # after 5, 10 and 20 epochs
