"""Pictures for pages: small, and quickly made of large files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.readable import prepared


def small_picture(content: bytes, orientation: str, side: int) -> Image.Image:
    """The picture in a file's content as RGB, no smaller than it needs to be to fit well into a square of `side` pixels.

    Args:
        orientation: "stored", or "exif" to turn it as its mark says.

    Raises:
        Fault: it cannot be read.
    """
    found = prepared(np.frombuffer(content, np.uint8), orientation)
    try:
        with Image.open(io.BytesIO(found.content.tobytes())) as image:
            image.draft("RGB", (2 * side, 2 * side))  # a JPEG is decoded at a part of its size
            return image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        raise Fault("is damaged: its picture cannot be decoded") from None
