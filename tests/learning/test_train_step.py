"""The training step against a NumPy reference: accumulation, clipping, averaging, decay, loss scale."""

from __future__ import annotations

import gc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.networks import eagerly
from mindzoo.utils.checkpoints import checkpoint_file, loading
from mindzoo.utils.learning import optimizers, train_step
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.train_step import TrainStep

RATES = [0.1, 0.05, 0.2, 0.01, 0.3, 0.1]
Weights = dict[str, np.ndarray]


def dense_network(norm: bool = False) -> nn.Cell:
    """4 inputs, 3 classes; the same weights each time."""
    random = np.random.default_rng(3)
    cells: list[tuple[str, nn.Cell]] = [("first", nn.Dense(4, 5)), ("relu", nn.ReLU()), ("last", nn.Dense(5, 3))]
    if norm:
        cells.insert(1, ("norm", nn.BatchNorm1d(5)))
    network = nn.SequentialCell(OrderedDict(cells))
    for parameter in network.trainable_params():
        if not parameter.name.startswith("norm"):
            parameter.set_data(Tensor(random.normal(0, 0.7, parameter.shape).astype(np.float32)))
    return network


def make_step(network: nn.Cell, *, momentum: float = 0.9, weight_decay: float = 0.0, **options: Any) -> TrainStep:
    gc.collect()  # see run_train
    rates = np.asarray(options.pop("rates", RATES), np.float32)
    optimizer = optimizers.create("momentum", network, rates, momentum=momentum, weight_decay=weight_decay)
    step = TrainStep(network, SmoothedCrossEntropy(3), optimizer, **options)
    step.set_train(True)
    return step


def batches(count: int, size: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(5)
    return [
        (random.normal(0, 1, (size, 4)).astype(np.float32), random.integers(0, 3, size).astype(np.int32))
        for _ in range(count)
    ]


def run(step: TrainStep, data: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    return [float(step(Tensor(images), Tensor(labels)).asnumpy()) for images, labels in data]


def values(cell: nn.Cell) -> Weights:
    return {parameter.name: parameter.asnumpy().copy() for parameter in cell.get_parameters()}


def gradients(w: Weights, images: np.ndarray, labels: np.ndarray) -> tuple[float, Weights]:
    """Loss and gradients of `dense_network()` in float64."""
    x = images.astype(np.float64)
    before = x @ w["first.weight"].T + w["first.bias"]
    hidden = np.maximum(before, 0)
    logits = hidden @ w["last.weight"].T + w["last.bias"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels]).mean()
    delta = probabilities.copy()
    delta[rows, labels] -= 1
    delta /= len(labels)
    back = (delta @ w["last.weight"]) * (before > 0)
    return loss, {
        "first.weight": back.T @ x,
        "first.bias": back.sum(0),
        "last.weight": delta.T @ hidden,
        "last.bias": delta.sum(0),
    }


def reference(
    start: Weights,
    data: list[tuple[np.ndarray, np.ndarray]],
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    ema_decay: float = 0.0,
) -> tuple[list[float], Weights, Weights]:
    """Losses, weights and averaged weights after one update per batch."""
    w = {name: value.astype(np.float64) for name, value in start.items()}
    average = {name: value.copy() for name, value in w.items()}
    velocity = {name: np.zeros_like(value) for name, value in w.items()}
    losses = []
    for rate, (images, labels) in zip(RATES, data, strict=False):
        loss, gradient = gradients(w, images, labels)
        losses.append(loss)
        norm = np.sqrt(sum((value**2).sum() for value in gradient.values()))
        for name in w:
            g = gradient[name] * (min(1.0, clip_norm / norm) if clip_norm else 1.0)
            g = g + (0.0 if name.endswith("bias") else weight_decay * w[name])
            velocity[name] = momentum * velocity[name] + g
            w[name] = w[name] - rate * velocity[name]
            average[name] = ema_decay * average[name] + (1 - ema_decay) * w[name]
    return losses, w, average


def assert_close(found: Weights, wanted: Weights, tolerance: float = 2e-6) -> None:
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"clip_norm": 0.1},
        {"ema_decay": 0.7},
        {"clip_norm": 0.2, "weight_decay": 0.05, "ema_decay": 0.9},
    ],
    ids=str,
)
def test_updates_equal_a_float64_reference(options: dict[str, float]) -> None:
    network = dense_network()
    start = values(network)
    step = make_step(network, **options)
    losses = run(step, batches(5))
    wanted_losses, wanted, average = reference(start, batches(5), **options)
    np.testing.assert_allclose(losses, wanted_losses, atol=2e-6)
    assert_close(values(network), wanted)
    if "ema_decay" in options:
        assert_close(values(step), {f"ema.{name}": value for name, value in average.items()})


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1, "weight_decay": 0.1, "ema_decay": 0.5}], ids=str)
def test_accumulation_equals_a_larger_batch(k: int, options: dict[str, float]) -> None:
    small = batches(2 * k)
    large = [
        (
            np.concatenate([small[i * k + j][0] for j in range(k)]),
            np.concatenate([small[i * k + j][1] for j in range(k)]),
        )
        for i in range(2)
    ]
    accumulating, whole = dense_network(), dense_network()
    step = make_step(accumulating, accumulation_steps=k, **options)
    run(step, small)
    whole_step = make_step(whole, **options)
    with eagerly():
        run(whole_step, large)
    assert_close(values(step), values(whole_step))
    assert int(step.optimizer.global_step.asnumpy()[0]) == 2


def test_weights_stay_until_enough_batches_are_accumulated() -> None:
    network = dense_network()
    start = values(network)
    step = make_step(network, accumulation_steps=3, ema_decay=0.5)
    run(step, batches(2))
    assert_close(values(network), start, 0)
    assert_close(values(step), {f"ema.{name}": value for name, value in start.items()}, 0)
    run(step, batches(3)[2:])
    assert not np.array_equal(values(network)["last.weight"], start["last.weight"])
    assert not values(step)["accumulated.last.weight"].any()


def test_averages_follow_batch_norm_statistics() -> None:
    network = dense_network(norm=True)
    step = make_step(network, ema_decay=0.8)
    names = ("norm.moving_mean", "norm.moving_variance", "norm.gamma", "first.weight")
    wanted = {name: values(network)[name].astype(np.float64) for name in names}
    first = dict(wanted)
    for batch in batches(4):
        run(step, [batch])
        wanted = {name: 0.8 * wanted[name] + 0.2 * values(network)[name] for name in names}
    assert_close(values(step), {f"ema.{name}": value for name, value in wanted.items()})
    assert not np.allclose(wanted["norm.moving_mean"], first["norm.moving_mean"])


def test_with_a_warm_up_the_first_weights_are_soon_forgotten() -> None:
    """At update t the decay is (1 + t) / (10 + t): 2/11, then 3/12, then 0.3, the most."""
    network = dense_network(norm=True)
    step = make_step(network, ema_decay=0.3, ema_warmup=True)
    names = ("norm.moving_mean", "last.weight")
    wanted = {name: values(network)[name].astype(np.float64) for name in names}
    for decay, batch in zip((2 / 11, 3 / 12, 0.3, 0.3), batches(4), strict=True):
        run(step, [batch])
        wanted = {name: decay * wanted[name] + (1 - decay) * values(network)[name] for name in names}
        assert_close(values(step), {f"ema.{name}": value for name, value in wanted.items()}, 1e-6)
    assert values(step)["averaged_updates"] == 4


@pytest.mark.parametrize("dynamic", [False, True])
def test_loss_scale_does_not_change_the_result(dynamic: bool) -> None:
    plain, scaled = dense_network(), dense_network()
    with eagerly():
        losses = run(make_step(plain, clip_norm=0.3), batches(4))
    step = make_step(scaled, clip_norm=0.3, loss_scale=1024.0, dynamic_loss_scale=dynamic)
    np.testing.assert_allclose(run(step, batches(4)), losses, atol=1e-6)
    assert_close(values(scaled), values(plain))


def overflowing(count: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images whose loss is finite, and whose gradients are not with a loss scale of 2 to the 126."""
    return [(images * 1000, labels) for images, labels in batches(count)]


@pytest.mark.parametrize("k", [1, 2])
def test_overflow_halves_the_scale_and_skips_the_update(k: int) -> None:
    network = dense_network()
    options: dict[str, Any] = {"ema_decay": 0.5, "ema_warmup": True, "accumulation_steps": k}
    step = make_step(network, loss_scale=2.0**126, dynamic_loss_scale=True, **options)
    start = values(step)
    assert np.isfinite(run(step, overflowing(k))).all()
    found = values(step)
    assert found.pop("loss_scale") == 2.0**125
    assert found["loss_scale_good_updates"] == 0
    start.pop("loss_scale")
    assert_close(found, {name: value for name, value in start.items() if name != "accumulated_batches"}, 0)


def test_scale_never_falls_below_one() -> None:
    step = make_step(dense_network(), loss_scale=1.0, dynamic_loss_scale=True)
    images, labels = batches(1)[0]
    run(step, [(images * np.float32(np.inf), labels)])
    assert values(step)["loss_scale"] == 1.0


def test_scale_doubles_after_a_window_of_good_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_step, "SCALE_WINDOW", 3)
    step = make_step(dense_network(), loss_scale=2.0**125, dynamic_loss_scale=True)
    small = [(images * np.float32(0.01), labels) for images, labels in batches(6)]
    seen = []
    for batch in [*small[:2], *overflowing(), *small[2:]]:
        run(step, [batch])
        seen.append((float(values(step)["loss_scale"]), int(values(step)["loss_scale_good_updates"])))
    half = 2.0**124
    assert seen[:2] == [(2.0**125, 1), (2.0**125, 2)]
    assert seen[2:] == [(half, 0), (half, 1), (half, 2), (half * 2, 0), (half * 2, 1)]


class Marks(nn.Cell):
    """In place of a card's registers: an image with a number over 100 overflows, and nothing becomes infinite."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.set_ones = ms.Parameter(Tensor(0.0, ms.float32), name="set_ones", requires_grad=False)

    def cleared(self, images: Tensor) -> Tensor:
        ops.assign(self.set_ones, (images.abs().max() > 100).astype(ms.float32))
        return images

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        return self.set_ones > 0


@pytest.mark.parametrize(("k", "bad"), [(1, 0), (3, 0), (3, 2)])
def test_on_a_card_that_saturates_registers_say_what_overflowed(k: int, bad: int) -> None:
    network = dense_network()
    options: dict[str, Any] = {"loss_scale": 8.0, "dynamic_loss_scale": True, "accumulation_steps": k}
    step, data = make_step(network, registers=Marks(), **options), batches(2 * k)
    start = values(network)
    spoilt = [(images + 200 * (number == bad), labels) for number, (images, labels) in enumerate(data[:k])]
    assert np.isfinite(run(step, spoilt)).all()
    assert_close(values(network), start, 0)
    assert values(step)["loss_scale"] == 4.0
    assert values(step)["loss_scale_good_updates"] == 0
    run(step, data[k:])
    good = dense_network()
    with eagerly():
        run(make_step(good, **options), data[k:])
    assert_close(values(network), values(good))
    assert values(step)["loss_scale_good_updates"] == 1


def test_registers_are_not_asked_without_a_dynamic_scale() -> None:
    network = dense_network()
    step = make_step(network, registers=Marks(), loss_scale=8.0)
    run(step, batches(2))
    assert "set_ones" not in values(step)


def test_all_state_is_in_get_parameters() -> None:
    options: dict[str, Any] = {
        "accumulation_steps": 2,
        "ema_decay": 0.5,
        "ema_warmup": True,
        "dynamic_loss_scale": True,
    }
    step = make_step(dense_network(norm=True), **options)
    names = [parameter.name for parameter in step.get_parameters()]
    assert len(names) == len(set(names))
    weights = [parameter.name for parameter in step.network.get_parameters()]
    trained = [parameter.name for parameter in step.network.trainable_params()]
    wanted = {*weights, *(f"ema.{name}" for name in weights)}
    wanted |= {f"{prefix}.{name}" for prefix in ("moments", "accumulated") for name in trained}
    wanted |= {
        "loss_scale",
        "loss_scale_good_updates",
        "accumulated_batches",
        "averaged_updates",
        "global_step",
        "momentum",
    }
    assert wanted <= set(names)


def test_a_restored_step_goes_on_bit_for_bit(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "accumulation_steps": 2, "ema_decay": 0.5, "ema_warmup": True, "dynamic_loss_scale": True, "loss_scale": 8.0,
    }  # fmt: skip
    data = batches(7)
    whole, first, second = (make_step(dense_network(norm=True), **options) for _ in range(3))
    wanted = run(whole, data)
    run(first, data[:3])  # in the middle of an accumulation
    rows = {parameter.name: parameter for parameter in first.get_parameters()}
    checkpoint_file.save_checkpoint(tmp_path / "state.ckpt", rows, {"network": SPEC.name})
    loading.restore(second, checkpoint_file.read_checkpoint(tmp_path / "state.ckpt", SPEC))
    assert run(second, data[3:]) == wanted[3:]
    assert_close(values(second), values(whole), 0)


def test_loss_is_a_float32_scalar() -> None:
    loss = make_step(dense_network())(*(Tensor(part) for part in batches(1)[0]))
    assert loss.shape == ()
    assert loss.dtype == ms.float32
