"""What computes outputs for batches of images: MindSpore, or two engines that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils.compiling import graphs
from mindzoo.utils.engine.difference import relative_difference
from mindzoo.utils.engine.heads import with_head


class Runner(Protocol):
    """Images (B, 3, H, W) float32 -> outputs (B, D), or maps (B, C, h, w), float32."""

    def __call__(self, images: np.ndarray) -> np.ndarray: ...

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Do what must be done once before batches of this shape, such as to compile."""


class MindSporeRunner:
    """A network as one compiled graph for each shape of a batch; `head`: see `network_graph`."""

    def __init__(self, network: nn.Cell, head: str) -> None:
        self.cell = with_head(network, head)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.cell(Tensor(images)).asnumpy())

    def prepare(self, shape: tuple[int, ...]) -> None:
        graphs.compile_cell(self.cell, "the graph, once for all images", (Tensor(np.zeros(shape, np.float32)),))


@dataclass
class Differences:
    """The largest one of all that was compared, relative to the largest output; None where nothing was."""

    largest: float | None = None

    def add(self, difference: float) -> None:
        """Note one more; what is not a number is infinite."""
        self.largest = max(self.largest or 0.0, difference if np.isfinite(difference) else float("inf"))


class Compared:
    """What one runner computes, while `other` computes the same."""

    def __init__(self, runner: Runner, other: Runner, differences: Differences) -> None:
        self.runner, self.other, self.differences = runner, other, differences

    def __call__(self, images: np.ndarray) -> np.ndarray:
        found = self.runner(images)
        self.differences.add(relative_difference(found, self.other(images)))
        return found

    def prepare(self, shape: tuple[int, ...]) -> None:
        self.runner.prepare(shape)
        self.other.prepare(shape)
