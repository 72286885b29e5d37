"""What two or more networks share: layers, the order of their maps' axes, and first weights.

Maps are (B, C, H, W). On a CPU a training may turn a network to (B, H, W, C), whose operators are faster there:
`utils/native/channels_last.py` then sets `channels_last` of every cell that has it, and changes the class of every cell
that names a class of `utils/native/cells.py` as `native`. Parameters keep names and shapes.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer


class ToLayout(nn.Cell):
    """Images (B, C, H, W) -> maps in the order that the network computes in."""

    channels_last = False

    def construct(self, x: Tensor) -> Tensor:
        return x.transpose((0, 2, 3, 1)) if self.channels_last else x


class FromLayout(nn.Cell):
    """Maps in the order that the network computes in -> (B, C, H, W)."""

    channels_last = False

    def construct(self, x: Tensor) -> Tensor:
        return x.transpose((0, 3, 1, 2)) if self.channels_last else x


class FollowedBatchNorm(nn.BatchNorm2d):
    """A batch norm with something behind it that some devices do in the same pass."""

    def normalise(self, x: Tensor) -> Tensor:
        return nn.BatchNorm2d.construct(self, x)


class BatchNormReLU(FollowedBatchNorm):
    """A batch norm and a ReLU behind it."""

    native = "BatchNormReLU"

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(self.normalise(x))


class BatchNormSumReLU(FollowedBatchNorm):
    """The end of a residual block: relu(batch norm of x + the shortcut's map)."""

    native = "BatchNormSumReLU"

    def construct(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return ops.relu(self.normalise(x) + shortcut)


class GatedSumReLU(nn.Cell):
    """The end of a block with a gate (B, C) or (B, C, 1, 1): relu(map * gate + shortcut), channel by channel."""

    native = "GatedSumReLU"

    def construct(self, x: Tensor, gate: Tensor, shortcut: Tensor) -> Tensor:
        if gate.ndim == 2:
            gate = gate.reshape((-1, x.shape[1], 1, 1))
        return ops.relu(x * gate + shortcut)


class Fork(nn.Cell):
    """A map that goes two ways, along a block's layers and along its shortcut."""

    native = "Fork"

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Concat(nn.Cell):
    """Maps side by side: their channels add up."""

    channels_last = False

    def construct(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.concat((x, y), -1 if self.channels_last else 1)


class MeanOverMap(nn.Cell):
    """(B, C, H, W) -> (B, C), or (B, C, 1, 1) if `keep_dims`."""

    native = "MeanOverMap"

    def __init__(self, *, keep_dims: bool = False) -> None:
        super().__init__()
        self.keep_dims = keep_dims

    def construct(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keep_dims=self.keep_dims)


class SymmetricMaxPool(nn.Cell):
    """3x3 max pooling of stride 2 padded by one pixel on every side.

    Zeros may pad it because its input has passed a ReLU. nn.MaxPool2d(pad_mode="pad") says the same but
    cannot be written to ONNX.
    """

    native = "SymmetricMaxPool"

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.Pad(((0, 0), (0, 0), (1, 1), (1, 1)))
        self.pool = nn.MaxPool2d(3, 2, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        return self.pool(self.pad(x))


def dropout(rate: float) -> nn.Cell:
    """What stands in front of a classifier: in training a share `rate` of its inputs is 0, and the others are larger.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html. A training of ours draws by its seed, see
    `utils/learning/dropout.py`.

    Raises:
        ValueError: the rate is no share below 1.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"drop_rate is {rate}; wanted a number from 0 on, below 1")
    return nn.Dropout(p=float(rate)) if rate else nn.Identity()


def classifier(channels: int, num_classes: int, weight_init: Initializer) -> nn.Cell:
    """(B, channels) -> (B, num_classes), with biases from 0; with no classes (B, channels), as it is."""
    if num_classes == 0:
        return nn.Identity()
    return nn.Dense(channels, num_classes, weight_init=weight_init, bias_init="zeros")


def mean_over_map(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C) float32: what a classifier sees of the last map."""
    return x.mean((2, 3)).astype(ms.float32)


class TruncatedNormal(Initializer):
    """A normal distribution of standard deviation `sigma` before it is cut at two of them on both sides.

    What falls outside is drawn again. MindSpore's own draws one number after another, and takes absolute bounds; it is as
    random: the seed is the next number of NumPy's, as in all of MindSpore's initializers.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _initialize(self, array: np.ndarray) -> None:
        random = np.random.default_rng(np.random.randint(1, 1 << 63, dtype=np.int64))
        numbers = random.standard_normal(array.size, np.float32)
        while (outside := np.flatnonzero(np.abs(numbers) > 2)).size:
            numbers[outside] = random.standard_normal(outside.size, np.float32)
        array[...] = (numbers * np.float32(self.sigma)).reshape(array.shape)
