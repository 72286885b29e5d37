"""Heat maps as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.drawing import ramp
from mindzoo.utils.errors import UserError
from mindzoo.utils.explaining import heat
from mindzoo.utils.explaining.heat import LEAST_SIDE, LEGEND, Painter

GREY = np.full((32, 48, 3), 128, np.uint8)


def lightness(colors: np.ndarray) -> np.ndarray:
    """Relative luminance (WCAG 2) of colours (..., 3) uint8."""
    linear = (colors / 255.0) ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_colours_get_lighter_and_differ_without_red_and_green() -> None:
    colors = ramp.colors(np.linspace(0, 1, 50))
    assert np.all(np.diff(lightness(colors)) > 0)
    assert lightness(colors[-1]) > 20 * lightness(colors[0])
    np.testing.assert_array_equal(ramp.colors(np.array([0.0, 1.0])), [ramp.COLORS[0], ramp.COLORS[-1]])


def test_the_lightest_place_is_the_strongest() -> None:
    values = np.zeros((4, 6), np.float32)
    values[3, 5] = 2.0
    drawn = heat.overlay(GREY, values)
    assert drawn.size == (7 * 48, 7 * 32)
    assert min(drawn.size) >= LEAST_SIDE
    light = lightness(np.asarray(drawn))
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert row > 0.8 * drawn.height
    assert column > 0.8 * drawn.width


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_where_nothing_speaks_for_a_class_all_is_dark(value: float) -> None:
    drawn = np.asarray(heat.overlay(GREY, np.full((1, 1), value, np.float32)))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1
    assert lightness(drawn[0, 0]) < lightness(np.array([128, 128, 128]))


def test_a_file_has_a_legend_which_can_be_taken_off(tmp_path: Path) -> None:
    name = "<script>\n" + 50 * "name "
    Painter("occlusion", [name]).write(tmp_path / "a.png", GREY, np.eye(3, dtype=np.float32), f"{name} 99.0%")
    with Image.open(tmp_path / "a.png") as written:
        assert written.height == 7 * 32 + LEGEND
        legend = {tuple(color) for color in np.asarray(written)[7 * 32 :].reshape(-1, 3).tolist()}
        without = heat.without_legend(written.convert("RGB"))
    assert legend >= {ramp.COLORS[0], ramp.COLORS[-1]}
    np.testing.assert_array_equal(np.asarray(without), np.asarray(heat.overlay(GREY, np.eye(3, dtype=np.float32))))


def test_a_place_that_cannot_be_written_is_said() -> None:
    with pytest.raises(UserError, match="cannot write"):
        Painter("gradcam", ["a"]).write(Path("none/a.png"), GREY, np.eye(3, dtype=np.float32), "a")
