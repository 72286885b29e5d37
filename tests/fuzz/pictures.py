"""Small pictures as files of many kinds, and how every command reads one."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from mindspore.dataset import vision
from PIL import Image

from mindzoo.utils.data.look import decode
from mindzoo.utils.data.random_part import draw_box
from mindzoo.utils.errors import UserError
from mindzoo.utils.images import kinds
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.readable import Prepared, prepared
from mindzoo.utils.native.jpeg_part import decoded_part

WIDTH, HEIGHT = 61, 46
CROPS = 3
LARGE = 30_000_000  # values


@functools.cache
def picture(mode: str = "RGB") -> Image.Image:
    """Ramps and noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(0).integers(0, 30, (HEIGHT, WIDTH))
    return Image.fromarray(np.stack([x * 3 + noise, y * 4, (x + y) * 2], 2).astype(np.uint8)).convert(mode)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture(mode).save(file, kind, **options)
    return file.getvalue()


def read(content: bytes) -> bytes:
    """The pixels of a file, as evaluation, prediction and training get them.

    Raises:
        UserError: it is refused.
        RuntimeError: a decoder refuses what was let through to it, or a good picture after it.
    """
    try:
        found = prepared(np.frombuffer(content, np.uint8))
        pixels = decode(found)
    except Fault as fault:
        if "cannot be decoded" in str(fault) and found.kind == kinds.JPEG:
            raise RuntimeError("a JPEG file that was looked through cannot be decoded") from fault
        raise UserError(f"x {fault}") from None
    small = pixels.size < LARGE
    if small and not np.array_equal(decode(found), pixels):
        raise RuntimeError("the pixels are others the second time")
    for chance in range(CROPS if small else 1):
        crop()(found.content)
        decode_part(found, chance)
    if not np.array_equal(vision.Decode()(good()), GOOD):
        raise RuntimeError("a good picture after it is another")
    return pixels.tobytes()


def decode_part(found: Prepared, chance: int) -> None:
    """Decode a part of a JPEG picture natively, and of a good one after it.

    Of damaged data it may make other pixels than MindSpore: numbers that no encoder writes are beyond what the vector instructions
    compute with.

    Raises:
        RuntimeError: the part of the good picture is not the picture's.
    """
    if found.kind != kinds.JPEG or found.decoded:
        return
    box = draw_box(chance, found.width, found.height, (0.08, 1.0), (3 / 4, 4 / 3))
    decoded_part(found.content, found.width, found.height, box)
    box = draw_box(chance, WIDTH, HEIGHT, (0.08, 1.0), (3 / 4, 4 / 3))
    after = decoded_part(good(), WIDTH, HEIGHT, box)
    if after is None or not np.array_equal(after, GOOD[box.y : box.y + box.height, box.x : box.x + box.width]):
        raise RuntimeError("a part of a good picture after it is another")


@functools.cache
def crop() -> Any:
    """What a training decodes with, without the native decoder."""
    return vision.RandomCropDecodeResize((16, 16))


@functools.cache
def good() -> np.ndarray:
    return np.frombuffer(encoded("JPEG"), np.uint8)


GOOD = np.asarray(Image.open(io.BytesIO(encoded("JPEG"))))
