"""Networks of tests: made without waiting, computed without a graph, and filled with weights that their names say."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from mindspore import Tensor, nn

from mindzoo.tests.support.reference import FILL, Vectors
from mindzoo.utils.information.dry_run import undrawn
from mindzoo.utils.runtime import eagerly

__all__ = [
    "assert_parameters",
    "eagerly",
    "fill",
    "noise_images",
    "shapes_of",
    "unbuildable",
    "undrawn",
    "weights_of",
]

Network = TypeVar("Network", bound=nn.Cell)


def fill(network: Network, *, without: str = "") -> Network:
    """Give each parameter but `without` the value that its name says; set the network to inference."""
    for parameter in network.get_parameters():
        if parameter.name != without:
            parameter.set_data(Tensor(FILL["fill"](parameter.name, parameter.shape)))
    return network.set_train(False)


def weights_of(network: nn.Cell) -> dict[str, np.ndarray]:
    """Copies of all parameters by name."""
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def shapes_of(network: nn.Cell) -> dict[str, tuple[int, ...]]:
    return {parameter.name: parameter.shape for parameter in network.get_parameters()}


def assert_parameters(network: nn.Cell, wanted: Vectors, tensors: int, trained: int, numbers: int) -> None:
    """Names and shapes are the reference's: so many tensors, of which so many are trained, with so many numbers."""
    assert shapes_of(network) == {name: value.shape for name, value in wanted.weights.items()}
    assert len(shapes_of(network)) == tensors
    assert len(network.trainable_params()) == trained
    assert sum(parameter.size for parameter in network.trainable_params()) == numbers


def noise_images(batch: int = 2, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((batch, 3, height, width)).astype(np.float32)


def unbuildable(num_classes: int, **options: object) -> nn.Cell:
    """The builder of a network that cannot be built."""
    raise ValueError("this network cannot be built")
