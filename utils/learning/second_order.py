"""What second-order training needs of each layer: the two Kronecker factors of its Fisher information, in blocks.

For a layer with weights W (O, I), inputs a and gradients g of its outputs the Fisher information of W is approximated
by a product of a small matrix of the inputs and one of the gradients (K-FAC, Martens and Grosse 2015,
https://arxiv.org/abs/1503.05671; for convolutions KFC, Grosse and Martens 2016, https://arxiv.org/abs/1602.01407). Of
both only blocks on the diagonal are kept (THOR, Chen et al. 2021, https://ojs.aaai.org/index.php/AAAI/article/view/16867).

`record` makes the factors of every layer of a network appear as gradients, without a change to the network: what a
layer takes and gives passes through a cell that returns it as it is, and whose backward pass answers "the gradient" of
a further argument with the factor. Nothing is computed where this gradient is not asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, mint, nn, ops

from mindzoo.utils import compat
from mindzoo.utils.cluster import card as cards

A_INVERSE, G_INVERSE = "thor.a_inverse.", "thor.g_inverse."

# Operators where there are functions: those take longer to compile, and every layer has some.
_pad = ops.PadV3(paddings_contiguous=True)
_product = ops.BatchMatMul()
_product_with_transposed = ops.BatchMatMul(transpose_b=True)

Pair = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """A layer whose factors are recorded: `ops.grad` with respect to an inverse answers with the factor."""

    weight: Parameter
    a_inverse: Parameter  # (blocks, size, size) float32
    g_inverse: Parameter


class Patches(nn.Cell):
    """(B, C, H, W) -> (B, I, T): what the convolution multiplies its I weights with, at each of T positions."""

    def __init__(self, kernel: Pair, stride: Pair, dilation: Pair, same: bool, padding: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation, self.same, self.padding = kernel, stride, dilation, same, padding

    def construct(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.same:
            padding = (*self.shares(x.shape[2], 0), *self.shares(x.shape[3], 1))
        if sum(padding) > 0:
            x = _pad(x, (padding[2], padding[3], padding[0], padding[1]), _zero(x))
        if self.kernel == (1, 1):
            if self.stride != (1, 1):
                x = x[:, :, :: self.stride[0], :: self.stride[1]]
            return ops.reshape(x, (*x.shape[:2], -1))
        # Slices and no ops.Im2Col, which an Ascend card has on its slow AICPU only.
        batch, channels, height, width = x.shape
        shifted: tuple[Tensor, ...] = ()
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                top, left = i * self.dilation[0], j * self.dilation[1]
                bottom = height - (self.kernel[0] - 1) * self.dilation[0] + top
                right = width - (self.kernel[1] - 1) * self.dilation[1] + left
                shifted = (*shifted, x[:, :, top : bottom : self.stride[0], left : right : self.stride[1]])
        return ops.reshape(ops.stack(shifted, 2), (batch, channels * len(shifted), -1))

    def shares(self, length: int, axis: int) -> tuple[int, int]:
        """How many rows `pad_mode="same"` puts before and after: one more after where the number is odd."""
        stride, reach = self.stride[axis], (self.kernel[axis] - 1) * self.dilation[axis] + 1
        missing = max((length - 1) // stride * stride + reach - length, 0)
        return missing // 2, missing - missing // 2


class Features(nn.Cell):
    """(B, ..., I) -> (B, I, T): the inputs of a dense layer, at each of T positions."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.transpose(ops.reshape(x, (x.shape[0], -1, x.shape[-1])), (0, 2, 1))


class Maps(nn.Cell):
    """(B, O, H, W) -> (B, O, T)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.reshape(x, (*x.shape[:2], -1))


class InputFactor(nn.Cell):
    """Returns `x`; the gradient of `inverse` is the factor A of the batch."""

    def __init__(self, rows: nn.Cell) -> None:
        super().__init__()
        self.rows = rows

    def construct(self, x: Tensor, inverse: Tensor) -> Tensor:
        return x

    def bprop(self, x: Tensor, inverse: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        return dout, factor(self.rows(x.astype(ms.float32)), inverse.shape)


class OutputFactor(nn.Cell):
    """Returns `y`; the gradient of `inverse` is the factor G of the batch, if the loss is a mean over the batch."""

    def __init__(self, rows: nn.Cell) -> None:
        super().__init__()
        self.rows = rows

    def construct(self, y: Tensor, inverse: Tensor) -> Tensor:
        return y

    def bprop(self, y: Tensor, inverse: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        # The gradient of one image's loss is that of the mean times the size of the batch.
        return dout, factor(self.rows(dout.astype(ms.float32)), inverse.shape) * float(dout.shape[0] ** 2)


class RecordedConv2d(nn.Conv2d):
    """A convolution that records its factors; made of an nn.Conv2d by `record`."""

    def construct(self, x: Tensor) -> Tensor:
        return self.output_factor(super().construct(self.input_factor(x, self.inverses[0])), self.inverses[1])


class RecordedDense(nn.Dense):
    """A dense layer that records its factors; made of an nn.Dense by `record`."""

    def construct(self, x: Tensor) -> Tensor:
        return self.output_factor(super().construct(self.input_factor(x, self.inverses[0])), self.inverses[1])


def record(network: nn.Cell, trained: Collection[Parameter], block_size: int) -> list[Layer]:
    """Let the layers of `network` record their factors; names, weights and outputs stay as they are.

    These are the convolutions without groups and the dense layers whose weight is among `trained`. A cell keeps its
    place and gets another class. The inverses start as unit matrices and are no parameters of the network.

    Args:
        block_size: the most rows that a block has.
    """
    wanted = {id(parameter) for parameter in trained}
    # Each cell takes time to compile, so layers share them.
    patches = functools.cache(lambda geometry: InputFactor(Patches(*geometry)))
    features, out_features, maps = InputFactor(Features()), OutputFactor(Features()), OutputFactor(Maps())
    layers = []
    for _, cell in network.cells_and_names():
        if id(getattr(cell, "weight", None)) not in wanted:
            continue
        if type(cell) is nn.Conv2d and cell.group == 1:
            inputs, outputs, recorded = patches(_geometry(cell)), maps, RecordedConv2d
        elif type(cell) is nn.Dense and not cell.activation_flag:
            inputs, outputs, recorded = features, out_features, RecordedDense
        else:
            continue
        layer = _layer(cell.weight, block_size)
        cell.input_factor, cell.output_factor = inputs, outputs
        cell.inverses = (layer.a_inverse, layer.g_inverse)  # in a tuple they do not become parameters of the cell
        cell.__class__ = recorded
        layers.append(layer)
    return layers


def factor(rows: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(B, D, T) float32 -> the blocks of sum r r' / (B sqrt(T)), of this shape, over all rows r of images and positions.

    The Fisher information of a convolution is T times the product of the means over rows (KFC), so each factor gets the
    root of T.
    """
    batch, length, positions = rows.shape
    blocks, size, _ = shape
    if blocks * size > length:
        rows = _pad(rows, (0, 0, 0, blocks * size - length), _zero(rows))
    rows = ops.transpose(ops.reshape(rows, (batch, blocks, size, positions)), (1, 2, 0, 3))
    rows = ops.reshape(rows, (blocks, size, batch * positions))
    return _product_with_transposed(rows, rows) * (1.0 / (batch * positions**0.5))


def between(left: Tensor, matrix: Tensor, right: Tensor) -> Tensor:
    """(R, D) between the matrices (R, R) and (D, D) that have the blocks `left` and `right` on their diagonals."""
    rows, columns = matrix.shape
    left_count, left_size, _ = left.shape
    right_count, right_size, _ = right.shape
    padding = (0, right_count * right_size - columns, 0, left_count * left_size - rows)
    if sum(padding) > 0:
        matrix = _pad(matrix, padding, _zero(matrix))
    height, width = matrix.shape
    matrix = _product(left, ops.reshape(matrix, (left_count, left_size, width)))
    matrix = ops.transpose(ops.reshape(matrix, (height, right_count, right_size)), (1, 0, 2))
    matrix = ops.reshape(ops.transpose(_product(matrix, right), (1, 0, 2)), (height, width))
    return matrix[:rows, :columns] if sum(padding) > 0 else matrix


def inverter() -> Callable[[Tensor], Tensor]:
    """The function that inverts blocks on this device.

    Cards that run kernel by kernel (A2, A3) have a kernel for mint's. The 910A, which takes whole graphs, knows
    MatrixInverse only, as the CPU does. docs/OPERATORS.md has both.
    """
    on_card = ms.get_context("device_target") == "Ascend"
    if on_card and cards.generation_of(compat.soc_version()) in ("A2", "A3"):
        return mint.linalg.inv
    return ops.MatrixInverse()


def _layer(weight: Parameter, block_size: int) -> Layer:
    outputs, inputs = weight.shape[0], int(np.prod(weight.shape[1:]))
    return Layer(
        weight,
        Parameter(_unit_blocks(inputs, block_size), name=A_INVERSE + weight.name, requires_grad=False),
        Parameter(_unit_blocks(outputs, block_size), name=G_INVERSE + weight.name, requires_grad=False),
    )


def _unit_blocks(length: int, block_size: int) -> Tensor:
    """As few blocks as cover `length` rows, all of one size; where they are too many the last rows stay empty."""
    blocks = -(-length // block_size)
    size = max(-(-length // blocks), 2)  # MindSpore refuses to invert a single number
    return Tensor(np.tile(np.eye(size, dtype=np.float32), (blocks, 1, 1)))


def _zero(x: Tensor) -> Tensor:
    return ops.scalar_to_tensor(0.0, x.dtype)


def _geometry(convolution: nn.Conv2d) -> tuple[Pair, Pair, Pair, bool, tuple[int, ...]]:
    """Kernel, stride, dilation, whether the padding is "same", and what else it is: top, bottom, left, right."""
    padding = convolution.padding if convolution.pad_mode == "pad" else 0
    sides = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    same = convolution.pad_mode == "same"
    return tuple(convolution.kernel_size), tuple(convolution.stride), tuple(convolution.dilation), same, sides
