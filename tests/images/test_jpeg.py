"""What a JPEG file must have before it may reach MindSpore's decoder."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.images import jpeg
from mindzoo.utils.images.fault import Fault

WIDTH, HEIGHT = 40, 24


def encoded(mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def segment(content: bytes, marker: int) -> tuple[int, int]:
    at = content.index(bytes([0xFF, marker]))
    return at, at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def without(content: bytes, marker: int) -> bytes:
    at, end = segment(content, marker)
    return content[:at] + content[end:]


def changed(content: bytes, marker: int, offset: int, *values: int) -> bytes:
    """With other bytes behind the length of a segment."""
    at, _ = segment(content, marker)
    at += 4 + offset
    return content[:at] + bytes(values) + content[at + len(values) :]


def fault(content: bytes) -> str:
    with pytest.raises(Fault) as caught:
        jpeg.walk(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("L", {}),
        ("CMYK", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"subsampling": "4:4:4"}),
        ("RGB", {"subsampling": "4:2:2"}),
        ("RGB", {"optimize": True}),
        ("RGB", {"restart_marker_blocks": 1}),
        ("RGB", {"comment": b"x" * 5000}),
        ("RGB", {"icc_profile": b"x" * 70000}),
    ],
)
def test_what_encoders_write_is_right(mode: str, options: dict[str, Any]) -> None:
    found = jpeg.walk(encoded(mode, **options))
    assert (found.width, found.height, found.orientation) == (WIDTH, HEIGHT, 1)
    assert found.components == {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    assert found.adobe == (mode == "CMYK")


@pytest.mark.parametrize("behind", [b"", b"\0" * 99, b"trailer", encoded("L")])
def test_what_stands_behind_the_end_is_not_looked_at(behind: bytes) -> None:
    assert jpeg.walk(encoded() + behind).width == WIDTH


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_every_cut_is_seen(options: dict[str, Any]) -> None:
    content = encoded(**options)
    for kept in range(3, len(content) - 1, 7):
        assert "cut off" in fault(content[:kept]) or "damaged" in fault(content[:kept])


BASE = encoded()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (without(BASE, 0xDB), "segment da"),  # a quantization table is missing
        (without(BASE, 0xC0), "segment da"),  # the frame is
        (without(encoded(progressive=True), 0xC4), "segment da"),
        (changed(BASE, 0xC4, 1, *[255] * 16), "segment c4"),  # more codes than there are
        (changed(BASE, 0xDB, 0, 7), "segment db"),  # the number of a table
        (changed(BASE, 0xC0, 0, 12), "segment c0"),  # bits
        (changed(BASE, 0xC0, 7, 0x51), "segment c0"),  # sampling
        (changed(BASE, 0xC0, 5, 2), "segment c0"),  # components
        (changed(BASE, 0xDA, 1, 99), "segment da"),  # a component that the frame has not
        (changed(BASE, 0xDA, 2, 0x33), "segment da"),  # a Huffman table that is not there
        (BASE.replace(b"\xff\xc0", b"\xff\xc3", 1), "segment c3"),  # lossless
        (BASE[:2] + b"\xff\xfe\0\1" + BASE[2:], "marker fe"),  # a length of 1
        (changed(BASE, 0xC0, 1, 0, 0), "no pixels"),
    ],
)
def test_what_libjpeg_calls_an_error_is_refused(content: bytes, said: str) -> None:
    assert said in fault(content)


def test_too_many_pixels_are_refused_before_anything_is_decoded() -> None:
    """R14."""
    assert fault(changed(BASE, 0xC0, 1, *struct.pack(">HH", 12000, 12000))) == (
        "has 12000 x 12000 pixels; 120 million at most are read"
    )


def test_a_small_file_of_many_large_scans_is_refused() -> None:
    content = encoded(progressive=True)
    at, end = segment(content, 0xDA)
    assert "has 101 scans or more" in fault(content[:at] + content[at:end] * 120 + content[at:])
    large = changed(content, 0xC2, 1, *struct.pack(">HH", 10000, 10000))
    assert "has 21 scans or more" in fault(large[:at] + large[at:end] * 40 + large[at:])


@pytest.mark.parametrize("mark", range(1, 9))
def test_the_mark_of_the_camera_is_found(mark: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = mark
    assert jpeg.walk(encoded(exif=exif)).orientation == mark


@pytest.mark.parametrize(("kind", "count", "mark"), [(3, 1, 6), (4, 1, 6), (9, 1, 6), (3, 0, 1), (2, 1, 1)])
def test_a_mark_may_be_any_whole_number(kind: int, count: int, mark: int) -> None:
    block = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, kind, count, 6) + bytes(4)
    assert jpeg.walk(encoded(exif=b"Exif\0\0" + block)).orientation == mark


def test_of_several_marks_the_first_one_counts() -> None:
    first, second = Image.Exif(), Image.Exif()
    first[0x0112], second[0x0112] = 3, 6
    content, more = encoded(exif=first), encoded(exif=second)
    at, end = segment(more, 0xE1)
    here = segment(content, 0xE1)[1]
    assert jpeg.walk(content[:here] + more[at:end] + content[here:]).orientation == 3


@pytest.mark.parametrize("block", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"xx" * 20])
def test_a_damaged_mark_is_none(block: bytes) -> None:
    assert jpeg.walk(encoded(exif=b"Exif\0\0" + block)).orientation == 1
