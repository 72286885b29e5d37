"""Learning rates against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mindzoo.utils.schedules import Schedule, cosine_annealing, multi_step, per_step


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
