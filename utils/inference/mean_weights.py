"""The mean of the weights of several checkpoints, of which one is in memory at a time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint


class MeanWeights:
    """A running sum in float64. What is no real number, such as a count of steps, stays that of the first checkpoint."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Checkpoint | None = None
        self.sums: dict[str, np.ndarray] = {}

    def add(self, found: Checkpoint) -> None:
        """Take in the weights of one more."""
        if self.first is None:
            self.first = found
            self.sums = {
                name: value.astype(np.float64) for name, value in found.weights.items() if value.dtype.kind == "f"
            }
        else:
            for name, total in self.sums.items():
                total += found.weights[name]
        self.count += 1

    def checkpoint(self, path: Path, more: Checkpoint | None = None) -> Checkpoint:
        """The mean, also over one `more`, which is not taken in: as the content of a file `path`, with what the first one says."""
        assert self.first is not None
        count, weights = self.count + bool(more), dict(self.first.weights)
        for name, total in self.sums.items():
            whole = total + more.weights[name] if more else total
            weights[name] = (whole / count).astype(weights[name].dtype)
        return dataclasses.replace(self.first, path=path, weights=weights)
