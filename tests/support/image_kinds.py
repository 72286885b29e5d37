"""One picture in many kinds of image files, all of which can be read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 61, 83
ORIENTATION = 0x0112
# (width, height): smaller, larger and much longer than what networks take.
SIZES = ((1, 1), (3, 200), (200, 3), (7, 9), (31, 32), (33, 31), (64, 64), (301, 500))
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def write_image_kinds(folder: Path) -> list[Path]:
    """Write the files, and return them sorted by name."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = _picture()
    _write_jpeg(folder, picture)
    _write_png(folder, picture)
    _write_others(folder, picture)
    for mark in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = mark
        for suffix in ("jpg", "png", "tif", "webp"):
            picture.save(folder / f"turned{mark}.{suffix}", exif=exif)
    for width, height in SIZES:
        picture.resize((width, height)).save(folder / f"size{width}x{height}.png")
    return sorted(folder.iterdir())


def write_without_scale(folder: Path) -> list[Path]:
    """Files with values that are no colours."""
    values = np.random.default_rng(3).random((HEIGHT, WIDTH), np.float32)
    Image.fromarray(values).save(folder / "float.tif")
    Image.fromarray((1000 * values).astype(np.int32)).save(folder / "int32.tif")
    return [folder / "float.tif", folder / "int32.tif"]


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: np.ndarray, color: int) -> bytes:
    """A PNG file of 16 bits per channel, which Pillow does not write in colour; `samples`: (H, W, channels) uint16."""

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in samples.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    )  # fmt: skip


def without_adobe(content: bytes) -> bytes:
    """A JPEG file without Adobe's segment."""
    at = content.index(b"\xff\xee")
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]


def _picture() -> Image.Image:
    """Gradients, and noise in a corner."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([3 * across, 4 * down, 2 * across + 3 * down], -1) % 256
    pixels[:30, :40] = np.random.default_rng(1).integers(0, 256, (30, 40, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def _write_jpeg(folder: Path, picture: Image.Image) -> None:
    picture.save(folder / "rgb.jpg")
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.save(folder / "full_colour.jpg", subsampling=0, xmp=XMP)
    picture.convert("L").save(folder / "gray.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    (folder / "cmyk_without_marker.jpg").write_bytes(without_adobe((folder / "cmyk.jpg").read_bytes()))


def _write_png(folder: Path, picture: Image.Image) -> None:
    random = np.random.default_rng(2)
    alpha = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH), np.uint8))
    transparent = picture.copy()
    transparent.putalpha(alpha)
    transparent.save(folder / "alpha.png")
    transparent.convert("LA").save(folder / "gray_alpha.png")
    transparent.save(folder / "alpha.webp", lossless=True)
    few = picture.quantize(64)
    few.save(folder / "palette.png")
    few.save(folder / "palette_transparent.png", transparency=3)
    few.save(folder / "palette_transparent.gif", transparency=3)
    picture.convert("1").save(folder / "bits.png")
    picture.convert("L").save(folder / "gray.png")
    for name, color, channels in (("gray", 0, 1), ("rgb", 2, 3), ("gray_alpha", 4, 2), ("rgb_alpha", 6, 4)):
        samples = random.integers(0, 1 << 16, (HEIGHT, WIDTH, channels), np.uint16)
        (folder / f"{name}16.png").write_bytes(png(samples, color))


def _write_others(folder: Path, picture: Image.Image) -> None:
    upside_down = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    for suffix in ("gif", "tif", "webp"):
        picture.save(folder / f"two.{suffix}", save_all=True, append_images=[upside_down])
    for suffix in ("bmp", "tif"):
        picture.save(folder / f"rgb.{suffix}")
        picture.quantize(16).save(folder / f"palette.{suffix}")
        picture.convert("1").save(folder / f"bits.{suffix}")
    picture.convert("CMYK").save(folder / "cmyk.tif")
    picture.save(folder / "packed.tif", compression="tiff_lzw")
    samples = np.random.default_rng(4).integers(0, 1 << 16, (HEIGHT, WIDTH), np.uint16)
    Image.fromarray(samples).save(folder / "gray16.tif")
