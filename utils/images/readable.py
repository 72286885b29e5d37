"""An image file in a form that the decoder of the data pipeline reads right, or why it cannot be read.

Every command takes a file through `prepared`, so that all see the same pixels or refuse it with the same words.
JPEG, PNG and BMP are decoded by MindSpore, after their structure has been walked through. TIFF, WebP, GIF, and what
the pipeline's decoder would get wrong, are decoded by Pillow and handed on as a bitmap. The kind is judged by content.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from mindzoo.utils.images import exif, jpeg, kinds, png
from mindzoo.utils.images.bitmap import as_bitmap
from mindzoo.utils.images.fault import Fault, check_size, too_large

# Of 16 bits per channel the upper byte is taken, as the decoder of PNG does.
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
WITHOUT_SCALE = {"F": "32-bit float", "I": "32-bit integer"}
# Pillow warns of what is refused here, or has no effect on the pixels: odd metadata, transparency, many pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Prepared(NamedTuple):
    """A file that can be decoded."""

    content: np.ndarray  # (bytes,) uint8: JPEG, PNG or BMP
    kind: str  # of the file, see `kinds.READ`
    width: int  # as stored
    height: int
    orientation: int = exif.UPRIGHT  # the camera's mark, 1 to 8
    decoded: bool = False  # nothing is left that could fail


def prepared(content: np.ndarray, orientation: str = "stored") -> Prepared:
    """Look a file through, and make of it what the pipeline decodes to the right pixels.

    Args:
        content: (bytes,) uint8, the whole file.
        orientation: "stored", or "exif" to turn the picture as its mark says.

    Raises:
        Fault: it cannot be read.
    """
    kind = kinds.kind_of(content[: kinds.BEGINNING].tobytes())
    if kind == kinds.JPEG:
        return _jpeg(content, orientation)
    raw = content.tobytes()
    match kind:
        case kinds.PNG:
            walked = png.walk(raw)
            upright = walked.orientation == exif.UPRIGHT or orientation == "stored"
            if not upright:
                return _by_pillow(raw, kinds.PNG, orientation, walked.orientation)
            needed = np.frombuffer(walked.needed, np.uint8)
            return Prepared(needed, kinds.PNG, walked.width, walked.height, walked.orientation)
        case kinds.BMP:
            return Prepared(content, kinds.BMP, *_bitmap_size(raw))
        case "":
            raise Fault(kinds.described(raw))
        case _:
            return _by_pillow(raw, kind, orientation)


def _jpeg(content: np.ndarray, orientation: str) -> Prepared:
    walked = jpeg.look_through(content)
    inverted = walked.components == 4 and not walked.adobe  # MindSpore takes all CMYK for Adobe's, which is inverted
    if inverted or (orientation == "exif" and walked.orientation != exif.UPRIGHT):
        return _by_pillow(content.tobytes(), kinds.JPEG, orientation, walked.orientation)
    return Prepared(content, kinds.JPEG, walked.width, walked.height, walked.orientation)


def _bitmap_size(raw: bytes) -> tuple[int, int]:
    """Width and height of a BMP file whose pixels are there to the last."""
    if len(raw) < 30:
        raise Fault("is cut off in its head")
    offset, header = struct.unpack_from("<II", raw, 10)
    if header == 12:  # of OS/2
        width, height, _, bits = struct.unpack_from("<HHHH", raw, 18)
        packing = 0
    elif len(raw) < 34:
        raise Fault("is cut off in its head")
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", raw, 18)
    check_size(width, abs(height))
    row = -(-width * bits // 32) * 4
    if packing in (0, 3) and offset + row * abs(height) > len(raw):
        raise Fault("is cut off")
    return width, abs(height)


def _by_pillow(raw: bytes, kind: str, orientation: str, mark: int = exif.UPRIGHT) -> Prepared:
    try:
        with Image.open(io.BytesIO(raw), formats=(kind,)) as image:
            width, height = image.size
            check_size(width, height)
            if image.mode in WITHOUT_SCALE:
                raise Fault(f"has {WITHOUT_SCALE[image.mode]} values, which have no scale; save it with 8 bits")
            if kind == kinds.WEBP:
                mark = exif.orientation_of(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
            pixels = _pixels(image)
    except Fault:
        raise
    except Image.DecompressionBombError:
        raise Fault(too_large("far too many")) from None
    except UnidentifiedImageError:  # whose text names an object in memory
        raise Fault(f"is damaged: its {kind} head cannot be read") from None
    except Exception as error:  # a decoder of broken bytes may raise anything
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise Fault(f"is damaged or of an unsupported kind: {reason}") from None
    if orientation == "exif":
        pixels = exif.turned(pixels, mark)
    return Prepared(as_bitmap(pixels), kind, width, height, mark, decoded=True)


def _pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 of the first picture in a file."""
    if image.mode in SIXTEEN_BITS:
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB"))
