"""How many pixels of the image a pixel of the last map can depend on, by the layers alone, whatever the weights are.

Theory: Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks",
https://distill.pub/2019/computing-receptive-fields/. They walk a graph; here the network itself is asked, so that what stands
between two cells counts too. Its convolutions only say where their windows hold something, its batch norms do nothing, and it
sees images that are 0 on one side of a column: an output is positive exactly where its field reaches the other side.
Images with as many columns as there are pixels between two outputs tell where the field ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils.runtime import eagerly

WIDTHS = (1024, 3072, 9216, 27648)  # pixels of the images that the network is asked with, until the field fits


@dataclass(frozen=True)
class ReceptiveField:
    """Of a pixel of the last map, along the width."""

    pixels: int
    stride: int  # pixels of the image between two of the map


class _ReachedError(Exception):
    """The last map is there; nothing behind it is of interest."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


def receptive_field(
    build: Callable[[int], nn.Cell], last: str, height: int, whole: Collection[str] = ()
) -> ReceptiveField | None:
    """The field of what the layer `last` puts out; None where it is wider than the widest images.

    Args:
        build: makes the network for images of a width; it cannot be used for anything else afterwards.
        last: the layer's name.
        height: of the images; any that the network takes.
        whole: names of layers that see a whole map at once. What they put out is taken for 0, so that the field is that of
            the other paths.
    """
    for width in WIDTHS:
        network = build(width)

        def look(edges: np.ndarray, network: nn.Cell = network, width: int = width) -> np.ndarray:
            return _seen(network, last, _sides(edges, height, width), whole)

        found = _field(look, width)
        if found is not None:
            return found
    return None


def _sides(edges: np.ndarray, height: int, width: int) -> np.ndarray:
    """(2 * len(edges), 3, height, width) float32: for each edge an image that is 1 from it on; then those that are 1 up to it."""
    columns = np.arange(width)
    rows = np.concatenate([columns >= edges[:, None], columns <= edges[:, None]]).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(rows[:, None, None], (len(rows), 3, height, width)))


def _field(look: Callable[[np.ndarray], np.ndarray], width: int) -> ReceptiveField | None:
    """The field, from what the columns of the map see of images of a width; None where it does not fit into half of them.

    Args:
        look: edges as in `_sides` -> (2 * len(edges), columns of the map) bool, which columns see something.
    """
    middle = np.array([width // 2])
    right, left = look(middle)
    if right[0] or left[-1]:
        return None
    stride = width // len(right)
    edges = middle + np.arange(stride)
    seen = look(edges)
    # The field of the first column that sees something ends at the edge or behind it; that of the column before does not.
    # Both ends are those of the field of column 0, as if the image went on to the left.
    ends = edges - stride * seen[:stride].argmax(1)
    starts = edges - stride * (len(right) - 1 - seen[stride:, ::-1].argmax(1))
    return ReceptiveField(int(ends.max() - starts.min()) + 1, stride)


def _seen(network: nn.Cell, last: str, images: np.ndarray, whole: Collection[str]) -> np.ndarray:
    """(B, columns) bool: where the map that the layer `last` puts out is positive, in any row and channel."""
    cells = dict(network.cells_and_names())
    for name in whole:
        cells[name].construct = _nothing

    def reached(_: nn.Cell, __: Any, value: Tensor) -> None:
        raise _ReachedError(value)

    handle = cells[last].register_forward_hook(reached)
    network.set_train(False)
    try:
        with eagerly(), _windows_only():
            network(Tensor(images))
    except _ReachedError as there:
        seen: np.ndarray = there.value.asnumpy().max((1, 2)) > 0
        return seen
    finally:
        handle.remove()
    raise ValueError(f"the layer {last} was not called")


@contextmanager
def _windows_only() -> Iterator[None]:
    """While it is open, layers do no more than say which pixels they look at."""
    seen: dict[type[nn.Cell], Callable[..., Tensor]] = {
        nn.Conv2d: _window,
        nn.BatchNorm2d: lambda _, x: x,
        nn.Dense: lambda _, x: x[..., :1],
    }
    before = {kind: kind.construct for kind in seen}
    for kind, construct in seen.items():
        kind.construct = construct
    try:
        yield
    finally:
        for kind, construct in before.items():
            kind.construct = construct


def _window(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, h, w): 1 where the convolution's window has anything in it, in any channel.

    In NumPy, since MindSpore prepares each convolution anew for each size.
    """
    maps = (x.asnumpy() > 0).any(1, keepdims=True)
    pads = conv.padding if isinstance(conv.padding, tuple) else (conv.padding,) * 4
    for axis, around in ((0, pads[:2]), (1, pads[2:])):
        size, step, reach = conv.kernel_size[axis], conv.stride[axis], conv.dilation[axis]
        maps = _any_in_window(maps, axis + 2, size, step, reach, _padding(maps.shape[axis + 2], conv, axis, around))
    return Tensor(maps.astype(np.float32))


def _padding(side: int, conv: nn.Conv2d, axis: int, around: tuple[int, ...]) -> tuple[int, int]:
    """Pixels before and behind a side."""
    if conv.pad_mode == "pad":
        return around[0], around[1]
    if conv.pad_mode == "valid":
        return 0, 0
    step, length = conv.stride[axis], conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1
    missing = max((-(-side // step) - 1) * step + length - side, 0)
    return missing // 2, missing - missing // 2


def _any_in_window(
    maps: np.ndarray, axis: int, size: int, step: int, dilation: int, around: tuple[int, int]
) -> np.ndarray:
    """Along one axis: whether any of the `size` pixels of each window is true."""
    padded = np.pad(maps, [around if one == axis else (0, 0) for one in range(maps.ndim)])
    outputs = (padded.shape[axis] - dilation * (size - 1) - 1) // step + 1
    found = np.zeros((), dtype=bool)
    for shift in range(0, dilation * size, dilation):
        places = [slice(None)] * maps.ndim
        places[axis] = slice(shift, shift + (outputs - 1) * step + 1, step)
        found = found | padded[tuple(places)]
    return found


def _nothing(x: Tensor, *_: Any) -> Tensor:
    return ops.zeros_like(x[:, :, :1, :1])
