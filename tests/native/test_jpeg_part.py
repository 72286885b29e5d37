"""Parts of JPEG pictures: the pixels of MindSpore's decoder, whatever part and kind it is."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from mindspore.dataset import vision
from PIL import Image

from mindzoo.utils.native import building, jpeg_part
from mindzoo.utils.native.building import UnavailableError
from mindzoo.utils.native.jpeg_part import Box, decoded_part

WIDTH, HEIGHT = 83, 61


def picture(mode: str = "RGB", **how: object) -> np.ndarray:
    """A JPEG file (bytes,) uint8 of noise and edges."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pixels[20:40, 10:70] = [250, 10, 30]
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **{"quality": 80, **how})
    return np.frombuffer(file.getvalue(), np.uint8)


def boxes() -> list[Box]:
    """The whole, the corners, single pixels, borders of blocks of 8, 16 and 32 pixels, and random ones."""
    rng = np.random.default_rng(2)
    found = [Box(0, 0, WIDTH, HEIGHT), Box(WIDTH - 1, HEIGHT - 1, 1, 1), Box(0, 0, 1, 1), Box(0, HEIGHT - 1, WIDTH, 1)]
    found += [Box(x, y, 16, 8) for x in (8, 16, 31, 32, 33, 64) for y in (0, 7, 8, 15, 16, 17, 48)]
    for _ in range(40):
        x, y = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        found.append(Box(x, y, int(rng.integers(1, WIDTH - x + 1)), int(rng.integers(1, HEIGHT - y + 1))))
    return found


@pytest.mark.parametrize(
    "how",
    [
        {"subsampling": "4:2:0"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:0", "progressive": True},
        {"subsampling": "4:2:0", "restart_marker_blocks": 3},
        {"mode": "L"},
    ],
    ids=lambda how: "-".join(map(str, how.values())),
)
def test_each_part_has_the_pixels_of_the_whole(how: dict[str, object]) -> None:
    content = picture(**how)  # type: ignore[arg-type]
    whole = vision.Decode()(content)
    for box in boxes():
        found = decoded_part(content, WIDTH, HEIGHT, box)
        assert found is not None, box
        wanted = whole[box.y : box.y + box.height, box.x : box.x + box.width]
        np.testing.assert_array_equal(found, wanted, err_msg=str(box))


@pytest.mark.parametrize("kept", [0, 2, 20, 300, 1500, -1])
def test_what_is_cut_off_is_left_to_another_decoder(kept: int) -> None:
    assert decoded_part(picture()[:kept].copy(), WIDTH, HEIGHT, Box(0, 0, WIDTH, HEIGHT)) is None


def test_another_size_than_is_said_writes_nothing_beyond_the_part() -> None:
    """A file may change between the look and the decoding."""
    for width, height in ((WIDTH + 1, HEIGHT), (WIDTH, HEIGHT - 1), (10_000, 10_000)):
        assert decoded_part(picture(), width, height, Box(0, 0, width, height)) is None


def test_four_colours_are_left_to_another_decoder() -> None:
    assert decoded_part(picture("CMYK"), WIDTH, HEIGHT, Box(0, 0, 8, 8)) is None


def test_no_file_at_all_is_left_to_another_decoder() -> None:
    assert decoded_part(np.frombuffer(b"no picture", np.uint8), WIDTH, HEIGHT, Box(0, 0, 8, 8)) is None


def test_threads_decode_at_once() -> None:
    content = picture()
    whole = vision.Decode()(content)
    wrong: list[Box] = []

    def decode() -> None:
        for box in boxes() * 5:
            found = decoded_part(content, WIDTH, HEIGHT, box)
            if found is None or not np.array_equal(found, whole[box.y : box.y + box.height, box.x : box.x + box.width]):
                wrong.append(box)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("content", "words"), [(b"no library", "cannot be loaded"), (b"", "cannot be loaded")], ids=["text", "empty"]
)
def test_a_libjpeg_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    (tmp_path / "libjpeg.so").write_bytes(content)
    with pytest.raises(UnavailableError, match=f"libjpeg.so {words}"):
        opened_with(monkeypatch, str(tmp_path / "libjpeg.so"))


def test_a_library_without_parts_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match=r"libc\.so\.6 does not decode parts of pictures"):
        opened_with(monkeypatch, "libc.so.6")


def test_without_a_compiler_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UnavailableError, match=r"no C\+\+ compiler no-such-compiler"):
        jpeg_part.outlook()
    with pytest.raises(UnavailableError, match=r"no C\+\+ compiler no-such-compiler"):
        building.built(jpeg_part.LIBRARY)


def opened_with(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Open the library with another libjpeg, in a copy, since it has one only."""
    monkeypatch.setattr(jpeg_part, "_libjpeg", lambda: path)
    jpeg_part.opened.__wrapped__()
