"""Every kind of file as pixels, against those of Pillow; damage as words."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mindzoo.tests.support.image_kinds import png_chunk
from mindzoo.utils.data.look import decode
from mindzoo.utils.images import exif, kinds, png
from mindzoo.utils.images.bitmap import as_bitmap
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.readable import prepared

WIDTH, HEIGHT = 37, 22


def picture(mode: str = "RGB") -> Image.Image:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.stack([x * 6, y * 11, (x + y) * 4], 2).astype(np.uint8)).convert(mode)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    picture(mode).save(file, kind, **options)
    return file.getvalue()


def pixels(content: bytes, orientation: str = "stored") -> np.ndarray:
    return decode(prepared(np.frombuffer(content, np.uint8), orientation))


def fault(content: bytes) -> str:
    with pytest.raises(Fault) as caught:
        pixels(content)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mark", range(1, 9))
def test_a_picture_is_turned_as_its_mark_says(kind: str, mark: int) -> None:
    """R6; that of a TIFF file is always followed, by Pillow too."""
    block = Image.Exif()
    block[0x0112] = mark
    content = encoded("WEBP", exif=block, lossless=True) if kind == "WEBP" else encoded(kind, exif=block)
    with Image.open(io.BytesIO(content)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(pixels(content, "exif"), upright)
    stored = upright if kind == "TIFF" else np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(pixels(content), stored)
    found = prepared(np.frombuffer(content, np.uint8))
    assert found.orientation == (1 if kind == "TIFF" else mark)


@pytest.mark.parametrize("mark", range(1, 9))
def test_turning_is_that_of_pillow(mark: int) -> None:
    image = picture()
    image.getexif()[0x0112] = mark
    np.testing.assert_array_equal(exif.turned(np.asarray(image), mark), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5, 7), (64, 64)])
def test_a_bitmap_holds_the_pixels(shape: tuple[int, int]) -> None:
    wanted = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    content = as_bitmap(wanted)
    np.testing.assert_array_equal(decode(prepared(content)), wanted)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content.tobytes()))), wanted)


@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")  # of the test's own conversion
def test_a_palette_with_transparency_is_its_colours() -> None:
    content = encoded("PNG", "P", transparency=bytes(range(200)))
    np.testing.assert_array_equal(pixels(content), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


@pytest.mark.parametrize("header", [12, 40, 108, 124])
def test_bitmaps_of_any_header_are_measured(header: int) -> None:
    rows = bytes(4 * HEIGHT * -(-WIDTH * 3 // 4))
    size = struct.pack("<HHHH" if header == 12 else "<iiHH", WIDTH, HEIGHT, 1, 24)
    head = struct.pack("<I", header) + size + bytes(header - 4 - len(size))
    content = b"BM" + struct.pack("<IHHI", 14 + header + len(rows), 0, 0, 14 + header) + head + rows
    found = prepared(np.frombuffer(content, np.uint8))
    assert (found.width, found.height) == (WIDTH, HEIGHT)
    assert fault(content[:-1]) == "is cut off"
    assert "cut off in its head" in fault(content[:29])


def test_what_a_picture_does_not_need_does_not_reach_the_decoder(capfd: pytest.CaptureFixture[str]) -> None:
    """R15: libpng warned of profiles of ordinary photographs, 220 lines in four epochs."""
    content = encoded("PNG")
    extra = png_chunk(b"iCCP", b"x\0\0bad") + png_chunk(b"gAMA", bytes(4)) + png_chunk(b"zTXt", b"bad")
    np.testing.assert_array_equal(pixels(content[:33] + extra + content[33:]), np.asarray(picture()))
    assert capfd.readouterr().err == ""


def test_a_damaged_length_asks_for_no_memory() -> None:
    content = encoded("PNG")
    at = content.index(b"IDAT") - 4
    assert fault(content[:at] + b"\x7f\xff\xff\xff" + content[at + 4 :]) == "is cut off: its end is missing"


def test_too_many_pixels_are_refused_whatever_the_kind() -> None:
    """R14: 30000 x 30000 pixels took 7.7 GB."""
    said = "has 30000 x 30000 pixels; 120 million at most are read"
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    assert fault(png.SIGNATURE + header + png_chunk(b"IEND", b"")) == said
    bitmap = bytearray(encoded("BMP"))
    bitmap[18:26] = struct.pack("<ii", 30000, -30000)
    assert fault(bytes(bitmap)) == said
    gif = bytearray(encoded("GIF"))
    gif[6:10] = struct.pack("<HH", 30000, 30000)
    much = "has far too many pixels; 120 million at most are read"  # Pillow says no more
    assert fault(bytes(gif)) == much
    tiff = bytearray(encoded("TIFF"))
    for tag, size in ((256, 30000), (257, 30000)):
        at = tiff.index(struct.pack("<HHI", tag, 4, 1)) if struct.pack("<HHI", tag, 4, 1) in tiff else -1
        at = at if at >= 0 else tiff.index(struct.pack("<HHI", tag, 3, 1))
        tiff[at + 8 : at + 12] = struct.pack("<I", size)
    assert fault(bytes(tiff)) == much


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_values_without_a_scale_are_refused(dtype: str) -> None:
    """R5."""
    file = io.BytesIO()
    Image.fromarray(np.ones((4, 4), dtype)).save(file, "TIFF")
    assert "which have no scale; save it with 8 bits" in fault(file.getvalue())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: 0 bytes"),
        (b"\0" * 9, "holds zeros only, as a download that broke off"),
        (b"  <HTML><body>", "is a web page (HTML)"),
        (b"<?xml version='1.0'?><svg>", "is XML or SVG"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS: fetch the file itself"),
        (b"\0\0\0\x18ftypheic", "is HEIC"),
        (b"\0\0\0\x18ftypavif", "is AVIF"),
        (b"\0\0\0\x18ftypmp42", "is a film, or of the HEIF family"),
        (b"\0\5\x16\7", "is a companion file of macOS"),
        (b"%PDF-1.4", "is PDF"),
        (b"hello", "is no image"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(content: bytes, said: str) -> None:
    assert fault(content).split(";")[0] == said
    assert kinds.kind_of(content) == ""
