"""The plot of class sizes: for few and for many classes, whatever they are called."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.tests.support.trainings import write_images
from mindzoo.utils.drawing import figures, fonts
from mindzoo.utils.inspection import plot
from mindzoo.utils.inspection.survey import Split

HOSTILE = (
    "$x^2$ \\frac{1}",
    "水果",
    "日本語",
    "\x1b[31mred\nline",
    "x" * 250,
    "\udcc6\udcbb",
    "عربي",
    "😀",
    "a&b<c>",
    "%s {0}",
)


def split(kind: str, sizes: dict[str, int]) -> Split:
    made = Split(kind, Path("/data") / (kind or "photographs"), {})
    made.good = sizes
    return made


def drawn(path: Path, *splits: Split) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a character that no font has
        plot.draw(path, splits)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def share(pixels: np.ndarray, color: str) -> float:
    """Of the pixels that have this colour."""
    wanted = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return float((pixels == wanted).all(axis=2).mean())


def test_the_bars_are_as_long_as_the_classes_are_large(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", split("train", {"cat": 30, "dog": 10}), split("val", {"cat": 5}))
    blue, orange = figures.COLORS[:2]
    rows = (pixels == [int(blue[at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2).sum(axis=1)
    lengths = sorted({int(row) for row in rows if row > 50})
    assert lengths[-1] / lengths[0] == pytest.approx(3, rel=0.05)
    assert share(pixels, orange) > 0.02


def test_hostile_names_are_drawn(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", *(split(kind, dict.fromkeys(HOSTILE, 7)) for kind in ("train", "val", "test")))
    assert all(share(pixels, color) > 0.02 for color in figures.COLORS)
    assert pixels.shape[0] < 1000
    assert pixels.shape[1] < 2500


def test_a_thousand_classes_fit_on_a_page(tmp_path: Path) -> None:
    sizes = {f"n{number:08d}": 700 + number for number in range(1000)}
    pixels = drawn(tmp_path / "a.png", split("train", sizes), split("val", dict.fromkeys(sizes, 50)))
    assert max(pixels.shape) < 2000
    blue = (pixels == [int(figures.COLORS[0][at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2).sum(axis=0)
    left, right = (int(part.max()) for part in (blue[:400], blue[-100:]))
    assert left > right > 0.3 * left  # the largest first, from zero on


def test_no_image_at_all_is_drawn(tmp_path: Path) -> None:
    assert share(drawn(tmp_path / "a.png", split("", {"cat": 0})), figures.COLORS[0]) == 0


def test_characters_that_no_font_has_become_their_numbers() -> None:
    private = "\ue000"  # nobody's
    _, missing = fonts.families(["abc", private])
    assert missing in ({private}, set())  # a font may have given it a meaning
    assert fonts.drawable(f"a{private}", {private}) == r"a\ue000"


def test_the_command_draws_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "data" / "cat", (250, 0, 0), 2)
    write_images(tmp_path / "data" / "dog", (0, 0, 250), 2)
    words = ["check-data", str(tmp_path / "data"), "--plot", str(tmp_path / "a.png")]
    assert cli.main(words) == 0
    assert (tmp_path / "a.png").is_file()
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where it is not installed
    assert cli.main(words) == 2
    assert "takes matplotlib, which is not installed; pip install matplotlib" in capsys.readouterr().err
