"""Optimizers against NumPy in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from mindzoo.utils.learning import optimizers

RATES = [0.1, 0.01, 0.001]
Arrays = dict[str, np.ndarray]
Numbers = dict[str, float]  # by parameter
Update = Callable[[Arrays, Arrays, Arrays, Numbers, Numbers, int], None]


class Small(nn.Cell):
    """A parameter of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1, has_bias=True)
        self.norm = nn.BatchNorm2d(3)
        self.fc = nn.Dense(3, 2)

    def construct(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))


def momentum(weights: Arrays, gradients: Arrays, state: Arrays, rates: Numbers, decays: Numbers, step: int) -> None:
    for name, gradient in gradients.items():
        whole = gradient + decays[name] * weights[name]
        state[name] = 0.9 * state.get(name, np.zeros_like(gradient)) + whole
        weights[name] = weights[name] - rates[name] * state[name]


def nesterov(weights: Arrays, gradients: Arrays, state: Arrays, rates: Numbers, decays: Numbers, step: int) -> None:
    for name, gradient in gradients.items():
        whole = gradient + decays[name] * weights[name]
        state[name] = 0.9 * state.get(name, np.zeros_like(gradient)) + whole
        weights[name] = weights[name] - rates[name] * (whole + 0.9 * state[name])


def rmsprop(weights: Arrays, gradients: Arrays, state: Arrays, rates: Numbers, decays: Numbers, step: int) -> None:
    for name, gradient in gradients.items():
        whole = gradient + decays[name] * weights[name]
        square = state[f"square {name}"] = 0.8 * state.get(f"square {name}", np.ones_like(gradient)) + 0.2 * whole**2
        moment = state.get(name, np.zeros_like(gradient))
        state[name] = 0.9 * moment + rates[name] * whole / np.sqrt(square + 0.01)
        weights[name] = weights[name] - state[name]


def adamw(weights: Arrays, gradients: Arrays, state: Arrays, rates: Numbers, decays: Numbers, step: int) -> None:
    for name, gradient in gradients.items():
        mean = state[name] = 0.9 * state.get(name, 0) + 0.1 * gradient
        square = state[f"square {name}"] = 0.999 * state.get(f"square {name}", 0) + 0.001 * gradient**2
        change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights[name] = weights[name] - rates[name] * (decays[name] * weights[name] + change)


def values(parameters: Sequence[Parameter]) -> Arrays:
    return {parameter.name: parameter.asnumpy().astype(np.float64) for parameter in parameters}


def names(parameters: list[Parameter]) -> list[str]:
    return [parameter.name for parameter in parameters]


def test_decay_groups() -> None:
    groups = optimizers.decay_groups(Small().trainable_params(), 0.05)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05]
    assert names(groups[0]["params"]) == ["conv.bias", "norm.gamma", "norm.beta", "fc.bias"]
    assert names(groups[1]["params"]) == ["conv.weight", "fc.weight"]


@pytest.mark.parametrize(("network", "decay"), [(nn.Dense(2, 2, has_bias=False), 0.05), (nn.BatchNorm2d(2), 0.0)])
def test_an_empty_group_is_left_out(network: nn.Cell, decay: float) -> None:
    wrapped = nn.SequentialCell(network)
    groups = optimizers.decay_groups(wrapped.trainable_params(), 0.05)
    assert [group["weight_decay"] for group in groups] == [decay]
    optimizers.create("momentum", wrapped, np.array(RATES), momentum=0.9, weight_decay=0.05)


@pytest.mark.parametrize("factors", [{}, {"conv.weight": 0.5, "fc.weight": 2.0}], ids=["one rate", "own rates"])
@pytest.mark.parametrize(
    ("name", "update", "no_decay"),
    [
        ("momentum", momentum, optimizers.NO_DECAY),
        ("nesterov", nesterov, optimizers.NO_DECAY),
        ("rmsprop", rmsprop, optimizers.NO_DECAY),
        ("adamw", adamw, optimizers.NO_DECAY),
        ("momentum", momentum, ()),  # as a second-order step takes it
    ],
)
def test_updates(name: str, update: Update, no_decay: tuple[str, ...], factors: Numbers) -> None:
    """By rates that are the same for all, without decay, and by rates and decays with factors."""
    boundary, decay = Parameter(Tensor(1.2, ms.float32), name="boundary"), 0.05 if factors else 0.0
    optimizer = optimizers.create(
        name,
        Small(),
        np.array(RATES),
        momentum=0.9,
        weight_decay=decay,
        eps=0.01,
        rho=0.8,
        loss_parameters=[boundary],
        no_decay=no_decay,
        rate_factors=factors,
        decay_factors={"fc.weight": factors.get("conv.weight", 1.0)},
    )
    assert optimizer.parameters[-1] is boundary
    wanted, state, noise = values(optimizer.parameters), dict[str, np.ndarray](), np.random.default_rng(1)
    decays = {name: 0.0 if name.endswith((*no_decay, "boundary")) else decay for name in wanted}
    decays["fc.weight"] *= 0.5
    for step, rate in enumerate(RATES):
        gradients = {p.name: np.asarray(noise.standard_normal(p.shape), np.float32) for p in optimizer.parameters}
        optimizer(tuple(Tensor(gradients[p.name]) for p in optimizer.parameters))
        rates = {name: rate * factors.get(name, 1.0) for name in wanted}
        update(wanted, {k: v.astype(np.float64) for k, v in gradients.items()}, state, rates, decays, step + 1)
        for parameter, found in values(optimizer.parameters).items():
            np.testing.assert_allclose(found, wanted[parameter], rtol=1e-5, atol=1e-5, err_msg=f"{step} {parameter}")


@pytest.mark.parametrize(
    ("name", "size"), [*itertools.product(["momentum", "nesterov", "rmsprop"], [3, 8, 100, 1001]), ("adamw", 1001)]
)
def test_an_optimizer_that_goes_on_gives_the_bits_of_one_without_a_break(name: str, size: int) -> None:
    """MindSpore's kernel of RMSProp depends on how often it was called (K4)."""
    rates, noise = np.full(12, 0.01), np.random.default_rng(3)
    gradients = [np.asarray(noise.standard_normal((2, size)), np.float32) for _ in range(12)]

    def made() -> nn.Optimizer:
        return optimizers.create(name, nn.Dense(size, 2, has_bias=False), rates, momentum=0.9, weight_decay=0.0)

    whole, second = made(), made()
    for step, gradient in enumerate(gradients):
        if step == 7:
            for mine, theirs in zip(second.get_parameters(), whole.get_parameters(), strict=True):
                mine.set_data(Tensor(theirs.asnumpy()))
        for optimizer in (whole, second) if step >= 7 else (whole,):
            optimizer((Tensor(gradient),))
    for mine, theirs in zip(second.get_parameters(), whole.get_parameters(), strict=True):
        np.testing.assert_array_equal(mine.asnumpy(), theirs.asnumpy(), err_msg=mine.name)


def test_the_global_step_counts_updates() -> None:
    network = Small()
    optimizer = optimizers.create("momentum", network, np.array(RATES), momentum=0.9, weight_decay=0.0)
    for _ in range(2):
        optimizer(tuple(Tensor(np.zeros(p.shape, np.float32)) for p in optimizer.parameters))
    assert int(optimizer.global_step.asnumpy().item()) == 2


def test_an_unknown_optimizer() -> None:
    with pytest.raises(ValueError, match=r"^optimizer 'sgd'; wanted momentum, nesterov, rmsprop or adamw$"):
        optimizers.create("sgd", Small(), np.array(RATES), momentum=0.9, weight_decay=0.0)
