"""The schedules that every network can have, against PyTorch's, whose values stand here."""

from __future__ import annotations

import numpy as np
import pytest

from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning import chosen_schedule

# torch 2.13.0, SGD with lr=0.8, the rate before each of 12 steps of torch.optim.lr_scheduler's
# OneCycleLR(max_lr=0.8, total_steps=12), CosineAnnealingWarmRestarts(T_0=2, T_mult=2, eta_min=0.02),
# CosineAnnealingLR(T_max=12, eta_min=0.02), PolynomialLR(total_iters=12, power=2.0), MultiStepLR([4, 8], 0.1).
ONE_CYCLE = [
    0.032, 0.279831723, 0.703428127, 0.795532348, 0.746410376, 0.649396523,
    0.517903198, 0.370109682, 0.226448799, 0.106782024, 0.0276535899, 3.2e-06,
]  # fmt: skip
RESTARTS = [
    0.8, 0.41, 0.8, 0.685771645, 0.41, 0.134228355,
    0.8, 0.770313018, 0.685771645, 0.559246539, 0.41, 0.260753461,
]  # fmt: skip
COSINE = [
    0.8, 0.786711072, 0.747749907, 0.685771645, 0.605, 0.510939428,
    0.41, 0.309060572, 0.215, 0.134228355, 0.0722500925, 0.0332889277,
]  # fmt: skip
POLYNOMIAL = [
    0.8, 0.672222222, 0.555555556, 0.45, 0.355555556, 0.272222222,
    0.2, 0.138888889, 0.0888888889, 0.05, 0.0222222222, 0.00555555556,
]  # fmt: skip
STEP = [0.8] * 4 + [0.08] * 4 + [0.008] * 4


def rates(*flags: str, epochs: int, steps: int) -> np.ndarray:
    words = ["--lr", "0.8", "--max_epoch", str(epochs), *flags]
    return chosen_schedule.rates(reading.read_config(TrainConfig, words).config, steps)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["one_cycle", "--final_lr", "3.2e-6"], ONE_CYCLE),
        (["cosine_restarts", "--restart_epochs", "2", "--final_lr", "0.02"], RESTARTS),
        (["cosine", "--final_lr", "0.02"], COSINE),
        (["polynomial"], POLYNOMIAL),
        (["step", "--decay_epochs", "8,4"], STEP),
        (["plateau"], [0.8] * 12),
    ],
)
def test_rates_are_those_of_pytorch(flags: list[str], wanted: list[float]) -> None:
    found = rates("--schedule", *flags, epochs=12, steps=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=3e-6)


def test_within_an_epoch_the_rates_go_on_by_steps() -> None:
    np.testing.assert_allclose(
        rates("--schedule", "cosine", "--final_lr", "0.02", epochs=3, steps=4), COSINE, rtol=3e-6
    )
    fine = rates("--schedule", "cosine_restarts", "--restart_epochs", "1", "--final_lr", "0.02", epochs=3, steps=4)
    np.testing.assert_allclose(fine[:4], [0.8, 0.685771645, 0.41, 0.134228355], rtol=3e-6)
    np.testing.assert_allclose(fine[4:], [*RESTARTS[6:], 0.134228355, 0.049687], rtol=3e-6)
    stairs = rates("--schedule", "step", "--decay_epochs", "1,2", epochs=3, steps=4)
    np.testing.assert_allclose(stairs, STEP, rtol=3e-6)


@pytest.mark.parametrize("schedule", ["cosine", "cosine_restarts", "polynomial", "plateau"])
def test_a_warmup_comes_before_a_schedule_of_the_remaining_steps(schedule: str) -> None:
    flags = ["--schedule", schedule, "--restart_epochs", "2"]
    found = rates(*flags, "--warmup_epochs", "2", epochs=14, steps=1)
    np.testing.assert_allclose(found[:2], [0.4, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(found[2:], rates(*flags, epochs=12, steps=1))
    assert rates(*flags, "--warmup_epochs", "9", epochs=3, steps=1)[-1] == pytest.approx(0.8 * 3 / 9)


def test_milestones_are_epochs_of_the_training_also_after_a_warmup() -> None:
    found = rates("--schedule", "step", "--decay_epochs", "3", "--warmup_epochs", "2", epochs=4, steps=1)
    np.testing.assert_allclose(found, [0.4, 0.8, 0.8, 0.08], rtol=1e-6)


@pytest.mark.parametrize("rise", ["0", "1"])
def test_one_cycle_may_rise_all_the_time_or_never(rise: str) -> None:
    found = rates("--schedule", "one_cycle", "--cycle_rise", rise, epochs=1, steps=5)
    assert np.isfinite(found).all()
    assert found.argmax() == (4 if rise == "1" else 0)
    assert found.max() == pytest.approx(0.8)


def test_keys_of_other_schedules_say_that_they_have_no_effect() -> None:
    words = ["--schedule", "one_cycle", "--warmup_epochs", "3", "--decay_factor", "0.5", "--poly_power", "1"]
    notes = reading.read_config(TrainConfig, words).notes()
    assert [note.split(":")[0] for note in notes] == [
        f"{name} has no effect" for name in ("warmup_epochs", "poly_power", "decay_factor")
    ]  # in the order of the keys
    assert notes[-1].endswith("schedule is one_cycle, and it is used with step or plateau only")
