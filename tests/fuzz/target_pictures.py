"""PNG, BMP, TIFF, WebP and GIF files."""

from __future__ import annotations

from mindzoo.tests.fuzz import pictures
from mindzoo.tests.fuzz.target import Target


def good_files() -> list[bytes]:
    modes = {
        "PNG": ("RGB", "L", "LA", "RGBA", "P", "1"),
        "BMP": ("RGB", "L", "P", "1", "RGBA"),
        "TIFF": ("RGB", "L", "CMYK", "P"),
        "WEBP": ("RGB", "RGBA"),
        "GIF": ("RGB", "P"),
    }
    plain = [pictures.encoded(kind, mode) for kind, listed in modes.items() for mode in listed]
    packed = [pictures.encoded("TIFF", compression=name) for name in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
    return [*plain, *packed, pictures.encoded("WEBP", lossless=True)]


TARGET = Target(
    good_files,
    pictures.read,
    may_differ=lambda good, found: True,  # most of these formats have no checksum
    memory=3 << 30,
)
