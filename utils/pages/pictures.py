"""Pictures inside a page."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_url(picture: Image.Image, side: int, quality: int) -> str:
    """An RGB picture as a JPEG in a data URL.

    Args:
        picture: is made smaller in place.
        side: of the square that it is made to fit into, in pixels.
        quality: of JPEG, 1 to 95.
    """
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
