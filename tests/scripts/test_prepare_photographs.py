"""Instances cut from photographs: the same every time, their crops overlapping, training apart from test."""

from __future__ import annotations

import runpy
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.data.class_folders import scan

SCRIPT = ROOT / "scripts" / "prepare_photographs.py"
SMALL = ("--crops", 2, "--size", 16)


def prepare(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def coordinates(width: int, height: int) -> Image.Image:
    """An image that shows where its pixels are: red is x / 4, green y / 4, and blue 128 everywhere."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x / 4, y / 4, np.full_like(x, 128)], axis=2).astype(np.uint8))


def box(image: Image.Image) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of a part of `coordinates`, whatever its brightness."""
    pixels = np.asarray(image, float)
    x, y = (4 * 128 * pixels[..., channel] / pixels[..., 2] for channel in (0, 1))
    return x.min(), x.max(), y.min(), y.max()


def test_the_same_seed_gives_the_same_images(tmp_path: Path) -> None:
    done = [prepare(tmp_path / name, *SMALL, "--seed", seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert [run.returncode for run in done] == [0, 0, 0], done[0].stderr
    files = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in "abc"
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]
    train, test = scan(tmp_path / "a" / "train"), scan(tmp_path / "a" / "test")
    assert (len(train.classes), len(train), len(test.classes), len(test)) == (6, 151, 67, 134)
    assert f"train: {len(train)} images, 6 classes" in done[0].stdout
    assert f"test: {len(test)} images of 16x16 pixels, crops of 67 other tiles" in done[0].stdout
    assert not set(test.classes) & {Path(name).stem for name in train.files}
    assert b"iCCP" not in (tmp_path / "a" / "train" / "things" / "china-00.png").read_bytes()
    with Image.open(tmp_path / "a" / "test" / test.files[0]) as image:
        assert (image.size, image.mode) == ((16, 16), "RGB")


def test_tiles_do_not_overlap_and_a_third_is_held_out(script: dict[str, Any], tmp_path: Path) -> None:
    coordinates(620, 400).save(tmp_path / "place.png")
    script["cut"].__globals__["LEAST_CONTRAST"] = 0.0
    tiles = script["cut"](tmp_path / "place.png", np.random.default_rng(1))
    assert len(tiles) == 15
    assert sum(tile.held_out for tile in tiles) == 5
    assert {tile.image.size for tile in tiles} == {(124, 124)}
    for (left, right, top, bottom), (left2, right2, top2, bottom2) in combinations([box(t.image) for t in tiles], 2):
        assert right < left2 or right2 < left or bottom < top2 or bottom2 < top


def test_crops_of_a_tile_overlap_and_are_changed(script: dict[str, Any]) -> None:
    random = np.random.default_rng(1)
    crops = [script["view"](coordinates(128, 128), 64, random) for _ in range(40)]
    boxes = [box(crop) for crop in crops]
    for (left, right, top, bottom), (left2, right2, top2, bottom2) in combinations(boxes, 2):
        assert max(left, left2) + 30 < min(right, right2)
        assert max(top, top2) + 30 < min(bottom, bottom2)
    assert len({tuple(found) for found in boxes}) == 40
    red = [np.asarray(crop)[..., 0].astype(int) for crop in crops]
    mirrored = sum(image[:, 0].mean() > image[:, -1].mean() for image in red)
    assert 10 < mirrored < 30
    brightness = [np.asarray(crop)[..., 2].mean() / 128 for crop in crops]
    assert min(brightness) < 0.7
    assert 1.3 < max(brightness) < 1.41


def test_a_tile_of_plain_sky_is_no_instance(script: dict[str, Any], tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 90, np.uint8)
    pixels[:128, :128] = np.random.default_rng(0).integers(0, 255, (128, 128, 3))
    Image.fromarray(pixels).save(tmp_path / "sky.png")
    assert len(runpy.run_path(str(SCRIPT))["cut"](tmp_path / "sky.png", np.random.default_rng(1))) == 1


def test_a_folder_with_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").touch()
    done = prepare(tmp_path / "a")
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path / 'a'} holds something else; name a new folder\n")
    (tmp_path / "b" / "train").mkdir(parents=True)
    (tmp_path / "b" / "test").mkdir()
    assert prepare(tmp_path / "b").stdout == f"{tmp_path / 'b'} is there already\n"
    assert prepare(tmp_path / "c", "--crops", 1).returncode == 2


def test_a_photograph_that_is_not_shipped_is_named(script: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names = script["find"].__globals__
    monkeypatch.setitem(names, "KINDS", {"things": {"sklearn": "china.jpg none.jpg"}})
    with pytest.raises(names["UserError"], match=r"do not ship none\.jpg"):
        script["find"]()
    monkeypatch.setitem(names, "KINDS", {"things": {"no_such_package": "x"}})
    with pytest.raises(names["UserError"], match="the package no_such_package is not installed"):
        script["find"]()
