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

from mindzoo.utils.information.dry_run import eagerly

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
    build: Callable[[int], nn.Cell], last: str, stride: int, height: int, whole: Collection[str] = ()
) -> ReceptiveField | None:
    """The field of what the layer `last` puts out; None where it is wider than the widest images.

    Args:
        build: makes the network for images of a width; it cannot be used for anything else afterwards.
        last: the layer's name.
        stride: pixels of the image between two pixels of that map, as near as is known.
        height: of the images; any that the network takes.
        whole: names of layers that see a whole map at once. What they put out is taken for 0, so that the field is that of
            the other paths.
    """
    for width in WIDTHS:
        network = build(width)
        seen = _seen(network, last, _sides(stride, height, width), whole)
        found = width // seen.shape[1]
        if found != stride:
            stride = found
            seen = _seen(network, last, _sides(stride, height, width), whole)
        ends = _ends(seen, width)
        if ends is not None:
            return ReceptiveField(ends[1] - ends[0] + 1, stride)
    return None


def _sides(stride: int, height: int, width: int) -> np.ndarray:
    """(2 * stride, 3, height, width) float32: 1 from column width / 2 + k on, then 1 up to it, for each k below `stride`."""
    columns = np.arange(width)
    edges = width // 2 + np.arange(stride)[:, None]
    rows = np.concatenate([columns >= edges, columns <= edges]).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(rows[:, None, None], (2 * stride, 3, height, width)))


def _ends(seen: np.ndarray, width: int) -> tuple[int, int] | None:
    """First and last column of the field of the map's column 0, as if the image went on; None where it does not fit.

    Args:
        seen: (2 * stride, columns of the map) bool, which columns see something in the images of `_sides`.
    """
    stride = len(seen) // 2
    right, left = seen[:stride], seen[stride:]
    if right[:, 0].any() or left[:, -1].any():
        return None
    edges = width // 2 + np.arange(stride)
    # The field of the first column that sees something ends at the edge or behind it; that of the column before does not.
    ends = edges - stride * right.argmax(1)
    starts = edges - stride * (seen.shape[1] - 1 - left[:, ::-1].argmax(1))
    return int(starts.min()), int(ends.max())


def _seen(network: nn.Cell, last: str, images: np.ndarray, whole: Collection[str]) -> np.ndarray:
    """(B, columns) bool: where the map that the layer `last` puts out is positive."""
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
