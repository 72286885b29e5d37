"""Random parts of pictures: where they lie, and that their pixels do not depend on who decodes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.data import decoder
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.look import Marks, Prepare, pixels_of
from mindzoo.utils.data.random_part import PreparePart, draw_box
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
WIDTH, HEIGHT = 120, 90


def write(path: Path, **how: Any) -> Path:
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)
    return path


def test_a_part_lies_within_the_picture_and_has_the_wanted_area_and_ratio() -> None:
    found = [draw_box(chance, WIDTH, HEIGHT, SCALE, RATIO) for chance in range(2000)]
    assert all(0 <= box.x <= WIDTH - box.width and 0 <= box.y <= HEIGHT - box.height for box in found)
    areas = np.array([box.width * box.height for box in found]) / (WIDTH * HEIGHT)
    ratios = np.array([box.width / box.height for box in found])
    assert 0.07 < areas.min() < 0.1
    assert 0.9 < areas.max() <= 1
    assert 0.70 < ratios.min() < 0.78
    assert 1.28 < ratios.max() < 1.42
    # Small parts fit more often than large ones; half of the area's range is their mean nearly.
    assert 0.4 < areas.mean() < 0.55
    assert abs(np.log(ratios).mean()) < 0.05
    assert {box.x == 0 for box in found} == {True, False}
    assert any(box.x + box.width == WIDTH and box.y + box.height == HEIGHT for box in found)


def test_the_same_chance_gives_the_same_part_and_another_one_another() -> None:
    first = [draw_box(chance, WIDTH, HEIGHT, SCALE, RATIO) for chance in range(100)]
    assert first == [draw_box(chance, WIDTH, HEIGHT, SCALE, RATIO) for chance in range(100)]
    assert len(set(first)) > 95


@pytest.mark.parametrize(
    ("width", "height", "wanted"), [(400, 10, (193, 0, 13, 10)), (10, 400, (0, 193, 10, 13)), (1, 1, (0, 0, 1, 1))]
)
def test_where_no_part_fits_the_middle_is_taken(width: int, height: int, wanted: tuple[int, ...]) -> None:
    assert draw_box(7, width, height, (1.0, 1.0), RATIO) == wanted


@pytest.mark.parametrize(
    ("name", "how"),
    [("a.jpg", {"quality": 85}), ("a.png", {}), ("a.bmp", {}), ("a.webp", {"lossless": True}), ("a.tif", {})],
)
def test_the_part_of_any_kind_of_file_is_that_of_its_pixels(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    path = write(tmp_path / name, **how)
    whole = pixels_of(path, "stored")
    for chance in range(20):
        found = PreparePart(Prepare("stored"), SCALE, RATIO)(np.fromfile(path, np.uint8), chance)
        box = draw_box(chance, WIDTH, HEIGHT, SCALE, RATIO)
        np.testing.assert_array_equal(found, whole[box.y : box.y + box.height, box.x : box.x + box.width])


def test_a_picture_is_turned_before_a_part_is_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = write(tmp_path / "held.jpg", exif=exif)
    whole, marks = pixels_of(path, "exif"), Marks()
    assert whole.shape == (WIDTH, HEIGHT, 3)
    found = PreparePart(Prepare("exif", marks), SCALE, RATIO)(np.fromfile(path, np.uint8), 3)
    box = draw_box(3, HEIGHT, WIDTH, SCALE, RATIO)
    np.testing.assert_array_equal(found, whole[box.y : box.y + box.height, box.x : box.x + box.width])
    assert marks.marked == 1


def test_a_damaged_picture_is_refused_in_the_words_of_every_command(tmp_path: Path) -> None:
    content = np.fromfile(write(tmp_path / "cut.jpg"), np.uint8)[:2000]
    with pytest.raises(Fault) as wanted:
        Prepare("stored")(content)
    with pytest.raises(Fault) as found:
        PreparePart(Prepare("stored"), SCALE, RATIO)(content, 1)
    assert str(found.value) == str(wanted.value)


def test_parts_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / "images" / "a" / f"{number:02}.jpg")
    images = scan(tmp_path / "images")

    def read(threads: int, seed: int) -> list[np.ndarray]:
        order = np.arange(12).repeat(2)
        rows = images.pipeline(order, [PreparePart(Prepare("stored"), SCALE, RATIO)], threads, seed)
        return [row[0] for row in rows.create_tuple_iterator(num_epochs=1, output_numpy=True)]

    alone, together, other = read(1, 5), read(2, 5), read(2, 6)
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(alone, other, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(alone[::2], alone[1::2], strict=True))  # one image twice


def test_the_variable_stands_in_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decoder.choose("auto") == "native"
    monkeypatch.setenv(decoder.VARIABLE, "mindspore")
    assert decoder.choose("auto") == "mindspore"
    assert decoder.choose("native") == "native"
    monkeypatch.setenv(decoder.VARIABLE, "pillow")
    with pytest.raises(UserError, match=r"the variable MINDZOO_DECODER is pillow; wanted auto, mindspore or native"):
        decoder.choose("auto")


def test_without_a_compiler_mindspore_decodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mindzoo.utils.native import jpeg_part

    jpeg_part.opened.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert decoder.choose("auto") == "mindspore"
    with pytest.raises(UserError, match=r"decoder is native, and it cannot be used: .*no-such-compiler"):
        decoder.choose("native")
