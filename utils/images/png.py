"""The chunks of a PNG file (W3C, Portable Network Graphics, third edition, section 5)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from mindzoo.utils.images import exif
from mindzoo.utils.images.fault import Fault, check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
AROUND = 12  # bytes of a chunk beside its data: length, name, checksum
# What the pixels are made of. All else is left out of what the decoder gets: it would only warn of it, and transparency
# is dropped as well.
NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


@dataclass(frozen=True)
class Png:
    """What the chunks say."""

    width: int
    height: int
    orientation: int
    needed: bytes  # the file with the chunks of its pixels alone


def walk(content: bytes) -> Png:
    """Go through the chunks: a length that is damaged makes the decoder ask for gigabytes, and its errors name no file.

    Raises:
        Fault: cut off, damaged, or too large.
    """
    at, size, pieces, orientation = len(SIGNATURE), (0, 0), [SIGNATURE], exif.UPRIGHT
    while at + AROUND <= len(content):
        end = at + AROUND + int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        if end > len(content):
            break
        if size == (0, 0):
            size = _header(name, content[at + 8 : end - 4])
        if name in NEEDED:
            if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
                raise Fault(f"is damaged: the checksum of its {name.decode()} is wrong")
            pieces.append(content[at:end])
        elif name == b"eXIf":
            orientation = exif.orientation_of(content[at + 8 : end - 4])
        if name == b"IEND":
            return Png(*size, orientation, b"".join(pieces))
        at = end
    raise Fault("is cut off: its end is missing")


def _header(name: bytes, data: bytes) -> tuple[int, int]:
    """Width and height, of the first chunk."""
    if name != b"IHDR" or len(data) != 13:
        raise Fault("is damaged: its header is missing")
    width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    check_size(width, height)
    return width, height
