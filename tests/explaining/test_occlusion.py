"""Occlusion: which windows are hidden, and what is made of what the network says then."""

from __future__ import annotations

import numpy as np

from mindzoo.utils.explaining import occlusion
from mindzoo.utils.explaining.occlusion import CELLS, WINDOWS, Occlusion


class OneCorner:
    """Class 1 is as probable as the lower left corner of the images is bright."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(images.shape)
        bright = images[:, :, -3:, :4].mean((1, 2, 3))
        return np.stack([np.zeros(len(images)), bright], 1).astype(np.float32)

    def prepare(self, shape: tuple[int, ...]) -> None:
        assert not self.batches


def test_the_map_peaks_where_the_answer_depends_on_the_image() -> None:
    runner = OneCorner()
    heat = Occlusion(runner)(np.full((3, 36, 48), 3.0, np.float32), 1)
    assert heat.shape == (CELLS, CELLS)
    assert heat.argmax() == (CELLS - 1) * CELLS
    # Only one window hides the corner, and the cell in the corner is hidden by no other.
    assert heat[-1, 0] == np.float32(1 / (1 + np.exp(-3.0)) - 0.5)
    assert np.all(heat[:-2] == 0)
    assert np.all(heat[:, 2:] == 0)
    assert {*runner.batches} == {(WINDOWS, 3, 36, 48)}  # one shape: MindSpore compiles once


def test_the_other_class_gains_what_is_lost() -> None:
    heat = Occlusion(OneCorner())(np.full((3, 36, 48), 3.0, np.float32), 0)
    assert heat[-1, 0] < 0


def test_windows_hide_every_pixel_and_none_but_their_own() -> None:
    image = np.ones((3, 31, 50), np.float32)
    hidden = np.stack([occlusion.hidden_row(image, row) for row in range(WINDOWS)]) == 0
    assert hidden.any((0, 1)).all()
    assert hidden[0, 0].sum() == 3 * occlusion.edges(31)[2] * occlusion.edges(50)[2]
    np.testing.assert_array_equal(image, 1)


def test_a_cell_has_the_mean_of_the_windows_that_hide_it() -> None:
    windows = np.zeros((WINDOWS, WINDOWS))
    windows[0, 0] = 1.0
    cells = occlusion.spread(windows)
    np.testing.assert_array_equal(cells[:3, :3], np.array([[1, 0.5, 0], [0.5, 0.25, 0], [0, 0, 0]]))
