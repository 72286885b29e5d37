"""The layer that whitens an embedding; its weights are written by `whitening.py`, which holds the formulas."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.models.multigrain.constants import NORM_EPSILON


class WhiteningLayer(nn.Cell):
    """(B, C) float32 -> (B, C + 1) float32: append 1, normalise, subtract `mean`, multiply by `projection`.

    Both are given by `whitened` or a file; before that they are zeros and the identity, which only normalises.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        length = channels + 1
        self.pad = nn.Pad(((0, 0), (0, 1)))
        self.unit = Tensor(np.eye(1, length, channels, dtype=np.float32))
        self.mean = Parameter(Tensor(np.zeros(length, np.float32)), name="mean", requires_grad=False)
        self.projection = Parameter(Tensor(np.eye(length, dtype=np.float32)), name="projection", requires_grad=False)

    def construct(self, x: Tensor) -> Tensor:
        return ops.matmul(normalised(self.pad(x) + self.unit) - self.mean, self.projection)


def normalised(x: Tensor) -> Tensor:
    """(B, C) float32 -> (B, C) float32: x / (|x| + 1e-6)."""
    x = x.astype(ms.float32)
    # The root has no gradient at 0; the square of a length far below 1e-6 keeps it away from there.
    return x / (ops.sqrt((x * x).sum(1, keepdims=True) + 1e-24) + NORM_EPSILON)
