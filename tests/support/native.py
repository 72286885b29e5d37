"""A network on MindSpore's operators and on the native ones: what it gives, and its gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from mindspore import Tensor, nn, ops


class Values(NamedTuple):
    """What one forward and backward pass gave."""

    outputs: np.ndarray
    gradients: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]  # after it: moving statistics have changed


class Pass(nn.Cell):
    """(x, weights of the outputs) -> outputs, and the gradients of their weighted sum."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.gradients_of = ops.value_and_grad(self.weighed, 0, network.trainable_params(), has_aux=True)

    def weighed(self, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.network(x)
        return (outputs * weights).sum(), outputs

    def construct(self, x: Tensor, weights: Tensor) -> tuple:
        return self.gradients_of(x, weights)


def passed(
    network: nn.Cell, x: np.ndarray, seed: int = 3, both: Pass | None = None, shape: tuple[int, ...] = ()
) -> Values:
    """Forward and backward through `network`, in the mode that it is in.

    `both` is its Pass, where that is compiled already, and `shape` that of its outputs, where it is known.
    """
    training = network.training
    shape = shape or network.set_train(False)(Tensor(x)).shape
    network.set_train(training)
    weights = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    names = [parameter.name for parameter in network.trainable_params()]
    (_, outputs), (of_x, of_weights) = (both or Pass(network))(Tensor(x), Tensor(weights))
    gradients = {name: gradient.asnumpy() for name, gradient in zip(names, of_weights, strict=True)}
    parameters = {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}
    return Values(outputs.asnumpy(), {"x": of_x.asnumpy(), **gradients}, parameters)


def randomise(network: nn.Cell, seed: int = 1) -> None:
    """Weights, scales, shifts and statistics that hide nothing: none of them is 0 or 1."""
    generator = np.random.default_rng(seed)
    for parameter in network.get_parameters():
        if parameter.name.endswith(("gamma", "variance")):
            value = generator.uniform(0.5, 1.5, parameter.shape)
        elif parameter.ndim == 0:
            continue  # an exponent
        else:
            width = np.sqrt(parameter.size / parameter.shape[0]) if parameter.ndim > 1 else 5
            value = generator.standard_normal(parameter.shape) / width
        parameter.set_data(Tensor(value.astype(np.float32)))


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def distance(found: np.ndarray, wanted: np.ndarray, largest: float | None = None) -> float:
    """The largest difference, in proportion to the largest value, or to `largest`."""
    scale = np.abs(wanted).max() if largest is None else largest
    return float(np.abs(found - wanted).max() / scale)


def assert_alike(found: Values, wanted: Values, *, outputs: float = 1e-5, state: float = 1e-5) -> None:
    """Within `outputs` of the largest output, 1e-4 of the largest gradient, `state` of each parameter's largest value."""
    assert distance(found.outputs, wanted.outputs) < outputs
    assert found.gradients.keys() == wanted.gradients.keys()
    assert found.parameters.keys() == wanted.parameters.keys()
    largest = max(float(np.abs(gradient).max()) for gradient in wanted.gradients.values())
    for name, gradient in wanted.gradients.items():
        assert distance(found.gradients[name], gradient, largest) < 1e-4, name
    for name, value in wanted.parameters.items():
        assert distance(found.parameters[name], value) < state, name
