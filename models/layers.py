"""What two or more networks share: blocks and first weights."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.common.initializer import TruncatedNormal


class SymmetricMaxPool(nn.Cell):
    """3x3 max pooling of stride 2 padded by one pixel on every side.

    Zeros may pad it because its input has passed a ReLU. nn.MaxPool2d(pad_mode="pad") says the same but
    cannot be written to ONNX.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.Pad(((0, 0), (0, 0), (1, 1), (1, 1)))
        self.pool = nn.MaxPool2d(3, 2, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        return self.pool(self.pad(x))


def truncated_normal(sigma: float) -> TruncatedNormal:
    """A normal distribution of standard deviation `sigma` before it is cut at two of them on both sides.

    MindSpore's own bounds are absolute, -2 and 2, and cut nothing off at the sigmas that networks use.
    """
    return TruncatedNormal(sigma, 0.0, -2 * sigma, 2 * sigma)
