"""Parts of JPEG pictures, decoded by the libjpeg-turbo that Pillow brings.

MindSpore's own decoder of JPEG computes without the vector instructions of the processor. This one has them, and decodes no more than
is needed; the pixels are the same.
"""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mindzoo.utils.native import building
from mindzoo.utils.native.building import Library, UnavailableError

LIBRARY = Library("jpeg", "the decoder of JPEG pictures", Path(__file__).with_name("jpeg"))


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


def decoded_part(content: np.ndarray, width: int, height: int, box: Box) -> np.ndarray | None:
    """The pixels of a part; threads may call it at once.

    Args:
        content: (bytes,) uint8, a JPEG file.
        width, height: of the whole picture as stored, of which `box` is a part.

    Returns:
        (box.height, box.width, 3) uint8 RGB; None where MindSpore's decoder has to read the picture: its data is damaged, it has four
        colours, or it is of another size.

    Raises:
        UnavailableError: see `opened`.
    """
    pixels = np.empty((box.height, box.width, 3), np.uint8)
    failed = opened().decode_part(
        ctypes.c_void_p(content.ctypes.data), ctypes.c_size_t(content.size), width, height, *box,
        ctypes.c_void_p(pixels.ctypes.data),
    )  # fmt: skip
    return None if failed else pixels


@functools.cache
def opened() -> ctypes.CDLL:
    """The library; built if this machine has not built it before.

    Raises:
        UnavailableError: no compiler, another machine, or a Pillow whose libjpeg cannot be used.
    """
    libjpeg = _libjpeg()
    return building.opened(building.built(LIBRARY), "open_libjpeg", os.fsencode(libjpeg))


def outlook() -> str:
    """Where `opened` will find the library or build it, without doing so.

    Raises:
        UnavailableError: no compiler, another machine, or no libjpeg beside Pillow.
    """
    _libjpeg()
    return building.outlook(LIBRARY)


def _libjpeg() -> str:
    """The file of the libjpeg that Pillow has loaded."""
    from PIL import _imaging  # noqa: F401 - it loads it

    building.check_machine("it was")
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        path = line.split(maxsplit=5)[5:]
        if path and Path(path[0]).name.startswith("libjpeg"):
            return path[0]
    raise UnavailableError("this Pillow has no libjpeg of its own file")
