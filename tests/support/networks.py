"""Networks of tests: made without waiting, computed without a graph, and filled with weights that their names say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from mindspore.common import initializer

from mindzoo.tests.support.reference import FILL, Vectors

Network = TypeVar("Network", bound=nn.Cell)


@contextmanager
def eagerly() -> Iterator[None]:
    """Operators run one by one, as they are called: where values are compared, compiling costs more than all else."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)


@contextmanager
def undrawn() -> Iterator[None]:
    """Networks are made with zeros in place of random first weights, which a test replaces or does not look at."""
    draw = initializer.Initializer.__call__

    def zeros(self: initializer.Initializer, array: np.ndarray) -> None:
        if isinstance(self, initializer.Constant):
            draw(self, array)
        else:
            array[...] = 0

    initializer.Initializer.__call__ = zeros
    try:
        yield
    finally:
        initializer.Initializer.__call__ = draw


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
