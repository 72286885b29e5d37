"""What a network computes for one image, layer by layer: counted while it runs once, operator by operator.

Counted are the multiply-adds of convolutions, dense layers and products of matrices; not those of batch norms, activations,
pooling and sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from mindzoo.utils.runtime import eagerly

MAP = 3  # dimensions of a map of one image: channels, height, width


@dataclass
class Layer:
    """One call of a cell that has no cells below it, or of one that multiplies by itself."""

    name: str
    kind: str
    shape: tuple[int, ...] = ()  # of its output, for one image
    parameters: int = 0  # trainable numbers
    multiply_adds: int = 0
    values: int = 0  # in its output
    sees_whole_map: bool = False  # each output depends on every pixel of a map


@dataclass
class _Run:
    layers: list[Layer] = field(default_factory=list)
    open: list[tuple[nn.Cell, Layer]] = field(default_factory=list)

    def count(self, multiply_adds: int, *, pixels_by_pixels: bool = False) -> None:
        """Add to the innermost cell that runs; a convolution's or dense layer's own are counted by its weights."""
        if self.open and not isinstance(self.open[-1][0], nn.Conv2d | nn.Dense):
            layer = self.open[-1][1]
            layer.multiply_adds += multiply_adds
            layer.sees_whole_map |= pixels_by_pixels


def layers_of(network: nn.Cell, image_size: tuple[int, ...]) -> list[Layer]:
    """The layers in the order in which they run on one image of `image_size` (height, width)."""
    run = _Run()
    handles = [handle for name, cell in network.cells_and_names() for handle in _hooked(name, cell, run)]
    try:
        with eagerly(), _products_counted(run):
            network.set_train(False)
            network(ops.zeros((1, 3, *image_size), ms.float32))
    finally:
        for handle in handles:
            handle.remove()
    _give_uncalled_numbers(network, run.layers)
    return run.layers


def last_map(layers: list[Layer]) -> Layer | None:
    """The layer whose map the pooling and the classifier are made of; None where there are no maps."""
    maps = [layer for layer in layers if len(layer.shape) == MAP]
    wide = [layer for layer in maps if math.prod(layer.shape[1:]) > 1]
    return (wide or maps)[-1] if maps else None


def _give_uncalled_numbers(network: nn.Cell, layers: list[Layer]) -> None:
    """Numbers of cells whose weights another cell uses, without calling them, belong to that cell's line."""
    by_name = {layer.name: layer for layer in layers}
    for name, cell in network.cells_and_names():
        own = _own_numbers(cell)
        above = name
        while own and above not in by_name and above:
            above = above.rpartition(".")[0]
        if own and above != name and above in by_name:
            by_name[above].parameters += own


def _hooked(name: str, cell: nn.Cell, run: _Run) -> Iterator[Any]:
    own = _own_numbers(cell)
    leaf = not any(True for _ in cell.cells())

    def before(_: nn.Cell, __: Any) -> None:
        run.open.append((cell, Layer(name, type(cell).__name__, parameters=own)))

    def behind(_: nn.Cell, inputs: tuple[Any, ...], output: Any) -> None:
        layer = run.open.pop()[1]
        if not isinstance(output, Tensor) or not (leaf or layer.multiply_adds):
            return
        if output is inputs[0] or isinstance(cell, nn.Identity):
            return  # the input itself: nothing was computed
        layer.shape, layer.values = tuple(output.shape[1:]), math.prod(output.shape)
        if isinstance(cell, nn.Conv2d | nn.Dense):
            layer.multiply_adds = layer.values * math.prod(cell.weight.shape[1:])
        layer.sees_whole_map |= _pixels(inputs[0].shape) > 1 and _pixels(output.shape) == 1
        run.layers.append(layer)

    yield cell.register_forward_pre_hook(before)
    yield cell.register_forward_hook(behind)


def _pixels(shape: tuple[int, ...]) -> int:
    """Of a map (B, C, H, W); 1 for what is none."""
    return math.prod(shape[2:])


@contextmanager
def _products_counted(run: _Run) -> Iterator[None]:
    """While it is open, products of matrices and convolutions that are no cells are counted too."""
    call, matmul, conv2d = ops.BatchMatMul.__call__, ops.matmul, ops.conv2d

    def batch_matmul(self: Any, x: Tensor, y: Tensor) -> Tensor:
        product = call(self, x, y)
        run.count(math.prod(product.shape) * x.shape[-2 if self.transpose_a else -1], pixels_by_pixels=True)
        return product

    def counted_matmul(x: Tensor, y: Tensor) -> Tensor:
        product = matmul(x, y)
        run.count(math.prod(product.shape) * x.shape[-1])
        return product

    def counted_conv2d(x: Tensor, weight: Tensor, *more: Any, **named: Any) -> Tensor:
        maps = conv2d(x, weight, *more, **named)
        run.count(math.prod(maps.shape) * math.prod(weight.shape[1:]))
        return maps

    replaced: list[tuple[Any, str, Callable[..., Any], Callable[..., Any]]] = [
        (ops.BatchMatMul, "__call__", batch_matmul, call),
        (ops, "matmul", counted_matmul, matmul),
        (ops, "conv2d", counted_conv2d, conv2d),
    ]
    for owner, name, counting, _ in replaced:
        setattr(owner, name, counting)
    try:
        yield
    finally:
        for owner, name, _, plain in replaced:
            setattr(owner, name, plain)


def _own_numbers(cell: nn.Cell) -> int:
    """Trainable numbers of the cell itself, without those of cells below it."""
    return sum(one.size for one in cell.get_parameters(expand=False) if one.requires_grad)
