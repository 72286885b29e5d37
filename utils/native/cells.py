"""MindSpore's layers as layers of (N, H, W, C) maps.

Each is made of a cell that stands in a network already, by `channels_last.convert`: the cell keeps its place, its
parameters and their values, and gets another class.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from mindzoo.utils.native import operators
from mindzoo.utils.native.operators import Sides


class Conv2d(nn.Conv2d):
    """(N, H, W, C) -> (N, H', W', O)."""

    def prepare(self) -> None:
        self.operator, self.geometry = operators.convolution(
            self.kernel_size, _pair(self.stride), _pair(self.dilation), _padding(self.pad_mode, self.padding), self.group,
            biased=self.has_bias,
        )  # fmt: skip

    def construct(self, x: Tensor) -> Tensor:
        if self.has_bias:
            return self.operator(x, self.weight, self.bias, self.geometry)
        return self.operator(x, self.weight, self.geometry)


class BatchNorm2d(nn.BatchNorm2d):
    """(N, H, W, C) -> the same; a ReLU in the same pass if `rectified`."""

    rectified = False

    def prepare(self) -> None:
        self.by_batch, self.by_given = operators.batch_norm(), operators.normalisation()
        self.note = operators.moving_statistics()
        self.options = Tensor([self.eps, float(self.rectified)], ms.float32)
        self.counts = self.use_batch_statistics is None  # whether moving statistics are kept

    def construct(self, x: Tensor) -> Tensor:
        if self.training if self.counts else self.use_batch_statistics:
            y, mean, variance = self.by_batch(x, self.gamma, self.beta, self.options)
            self.keep(x, mean, variance)
            return y
        return self.by_given(x, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.options)

    def keep(self, x: Tensor, mean: Tensor, variance: Tensor, first: int = 0) -> bool:
        """Let the moving statistics take in those of a batch of the size of x, which begin at number `first`."""
        options = Tensor([self.momentum, x.size / x.shape[-1], first], ms.float32)
        self.note(ops.stop_gradient(mean), ops.stop_gradient(variance), options, self.moving_mean, self.moving_variance)
        return True


class BatchNormReLU(BatchNorm2d):
    """With a ReLU behind it."""

    rectified = True


class BatchNormSumReLU(BatchNorm2d):
    """(N, H, W, C) and an addend of that shape -> relu(batch norm + addend)."""

    rectified = True

    def prepare(self) -> None:
        super().prepare()
        self.by_batch, self.by_given = operators.batch_norm_of_sum(), operators.normalisation_of_sum()

    def construct(self, x: Tensor, addend: Tensor) -> Tensor:  # type: ignore[override]
        if self.training if self.counts else self.use_batch_statistics:
            y, mean, variance = self.by_batch(x, self.gamma, self.beta, addend, self.options)
            self.keep(x, mean, variance)
            return y
        return self.by_given(x, self.gamma, self.beta, addend, self.moving_mean, self.moving_variance, self.options)


class GatedSumReLU(nn.Cell):
    """(N, H, W, C), a gate (N, 1, 1, C) or (N, C), and an addend of the map's shape -> relu(map * gate + addend)."""

    def prepare(self) -> None:
        self.operator = operators.gated_sum()

    def construct(self, x: Tensor, gate: Tensor, addend: Tensor) -> Tensor:
        return self.operator(x, gate, addend)


class MeanOverMap(nn.Cell):
    """(N, H, W, C) -> (N, C), or (N, 1, 1, C) if `keep_dims`."""

    def prepare(self) -> None:
        self.operator = operators.mean_over_map(keep_dims=self.keep_dims)

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x)


class MaxPool2d(nn.MaxPool2d):
    """(N, H, W, C) -> (N, H', W', C)."""

    def prepare(self) -> None:
        self.operator, self.geometry = operators.pooling(
            _pair(self.kernel_size), _pair(self.stride), _padding(self.pad_mode, 0), mean=False
        )

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.geometry)[0]


class AvgPool2d(nn.AvgPool2d):
    """(N, H, W, C) -> (N, H', W', C)."""

    def prepare(self) -> None:
        self.operator, self.geometry = operators.pooling(
            _pair(self.kernel_size), _pair(self.stride), _padding(self.pad_mode, 0), mean=True
        )

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.geometry)[0]


class SymmetricMaxPool(nn.Cell):
    """3x3 max pooling of stride 2 padded by one pixel on every side."""

    def prepare(self) -> None:
        self.operator, self.geometry = operators.pooling((3, 3), (2, 2), (1, 1, 1, 1), mean=False)

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.geometry)[0]


class Upsample(nn.Cell):
    """Nearest neighbour: (N, H, W, C) -> (N, factor H, factor W, C)."""

    def prepare(self) -> None:
        self.operator = operators.upsampling(self.factor)

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x)


class Fork(nn.Cell):
    """A map that goes two ways; their gradients are added in all threads."""

    def prepare(self) -> None:
        self.add = operators.addition()

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x

    def bprop(self, x: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]) -> tuple[Tensor]:
        return (self.add(dout[0], dout[1]),)


class DenseBlock(nn.Cell):
    """Layers of norm1, conv1, norm2 and conv2, each of which sees the maps of all before it."""

    def prepare(self) -> None:
        layer = self.cell_list[0]
        self.at_once = operators.DenseBlock(
            len(self.cell_list), layer.conv2.out_channels, layer.conv2.in_channels,
            (layer.conv1.geometry, layer.conv2.geometry), layer.norm1.eps,
        )  # fmt: skip
        self.note = operators.moving_statistics()
        self.by_batch = all(
            norm.use_batch_statistics is None for each in self.cell_list for norm in (each.norm1, each.norm2)
        )

    def construct(self, x: Tensor) -> Tensor:
        if not (self.training and self.by_batch):
            for layer in self.cell_list:
                x = layer(x)
            return x
        parameters: tuple[Tensor, ...] = ()
        for layer in self.cell_list:
            parameters = (
                *parameters, layer.norm1.gamma, layer.norm1.beta, layer.conv1.weight,
                layer.norm2.gamma, layer.norm2.beta, layer.conv2.weight,
            )  # fmt: skip
        out = self.at_once(x, parameters)
        mean, variance, inner_mean, inner_variance = out[1], out[2], out[3], out[4]
        for i, layer in enumerate(self.cell_list):
            layer.norm1.keep(x, mean, variance)
            layer.norm2.keep(x, inner_mean, inner_variance, i * layer.norm2.num_features)
        return out[0]


CLASSES: dict[type[nn.Cell], type[nn.Cell]] = {
    nn.Conv2d: Conv2d,
    nn.BatchNorm2d: BatchNorm2d,
    nn.MaxPool2d: MaxPool2d,
    nn.AvgPool2d: AvgPool2d,
}


def _pair(size: Any) -> tuple[int, int]:
    """Of MindSpore's 3, (3,), (3, 3) and (1, 1, 3, 3)."""
    if isinstance(size, int):
        return size, size
    return size[-2:] if len(size) > 1 else (size[0], size[0])


def _padding(mode: str, padding: Any) -> Sides | None:
    """Top, bottom, left and right; None for H / stride."""
    if mode.lower() == "same":
        return None
    if mode.lower() == "valid":
        return 0, 0, 0, 0
    return (padding,) * 4 if isinstance(padding, int) else tuple(padding)
