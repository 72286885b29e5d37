"""Texts in pictures: they fit, they are of any script, and they do nothing."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mindzoo.utils.drawing.lettering import Lettering

LONG = "a_very_long_name_of_an_image_0001.png"


@pytest.fixture(params=["fonts", "no matplotlib"])
def lettering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lettering:
    if request.param == "no matplotlib":
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    return Lettering([LONG, "naïve\n"], 13)


def drawn(lettering: Lettering, text: str) -> np.ndarray:
    picture = Image.new("L", (400, 30), 255)
    lettering.write(ImageDraw.Draw(picture), (0, 4), text, "black")
    return np.asarray(picture)


def test_a_long_text_loses_its_middle(lettering: Lettering) -> None:
    fitted = lettering.fitted(LONG, 120)
    assert lettering.width(fitted) <= 120 < lettering.width(LONG)
    assert fitted.startswith("a_very")
    assert fitted.endswith(".png")
    assert lettering.fitted("short", 120) == "short"
    assert lettering.fitted(LONG, 0) in ("…", "...")


def test_what_is_written_is_as_wide_as_it_says(lettering: Lettering) -> None:
    columns = np.flatnonzero((drawn(lettering, LONG) < 200).any(0))
    assert abs(columns[-1] - lettering.width(LONG)) < 5


def test_what_would_break_a_line_is_an_escape(lettering: Lettering) -> None:
    assert lettering.fitted("naïve\n", 400) in (r"naïve\n", r"na\u00efve\n")


def test_a_text_goes_over_several_lines(lettering: Lettering) -> None:
    lines = lettering.lines("is no image at all, and never was one before", 100, 3)
    assert len(lines) == 3
    assert all(lettering.width(line) <= 100 for line in lines)
    assert lines[0].startswith("is no image")


def test_another_script_is_drawn_with_a_font_that_has_it() -> None:
    lettering = Lettering(["数字 abc", "\U0010fffd"], 13)
    if "数" in lettering.missing:
        pytest.skip("no font of this machine has Chinese")
    assert lettering.font_of["数"] == lettering.font_of["字"] > 0
    assert "a" not in lettering.font_of
    one, other = (drawn(lettering, text)[:, :13] for text in ("数", "字"))
    assert np.any(one != other)  # no boxes
    assert lettering.fitted("\U0010fffd", 400) in (r"\u10fffd", "\U0010fffd")  # a font may have given it a meaning


def test_nothing_to_write(lettering: Any) -> None:
    assert lettering.width("") == 0
    assert lettering.lines("", 100, 2) == [""]
