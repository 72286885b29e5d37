"""The figures of a report, against numbers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mindzoo.utils.reports import figures
from mindzoo.utils.reports.figures import ClassFigures, Pair
from mindzoo.utils.reports.predictions import Predictions


def made(labels: list[int], said: list[int], sure: list[float], classes: int = 4) -> Predictions:
    """The second most probable class is the one after the first."""
    best = np.array([[one, (one + 1) % classes] for one in said], np.int32)
    shares = np.array([[one, 0.0] for one in sure], np.float32)
    files = tuple(f"{label}/{place}.png" for place, label in enumerate(labels))
    return Predictions("/data", ("a", "b", "c", "d"), files, np.array(labels, np.int32), best, shares)


FOUND = made([0, 0, 0, 1, 1, 3, 3, 3], [0, 2, 2, 1, 0, 3, 1, 3], [0.9, 0.8, 0.6, 0.7, 0.95, 0.5, 0.3, 0.99])


def test_pairs_and_classes() -> None:
    mistaken = figures.pairs(FOUND)
    assert mistaken == [Pair(0, 2, 2), Pair(1, 0, 1), Pair(3, 1, 1)]
    assert figures.by_class(FOUND, mistaken) == [
        ClassFigures(0, 3, 1, 1, 2, 2, 2),
        ClassFigures(1, 2, 1, 2, 0, 1, 2),
        ClassFigures(3, 3, 2, 2, 1, 1, 2),
    ]


def test_the_matrix_has_the_classes_with_most_mistakes() -> None:
    mistaken = figures.pairs(FOUND)
    assert figures.worst_classes(FOUND, mistaken, 2) == [0, 1]
    labels = figures.worst_classes(FOUND, mistaken, 50)
    assert labels == [0, 1, 2, 3]
    assert figures.confusion(FOUND, labels).tolist() == [[1, 0, 2, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 2]]
    assert figures.confusion(FOUND, [0, 2]).tolist() == [[1, 2], [0, 0]]


def test_the_images_to_look_at() -> None:
    assert figures.surest_mistakes(FOUND) == [4, 1, 2, 6]
    assert figures.unsurest_hits(FOUND) == [5, 3, 0, 7]
    many = made([0] * 100, [1] * 100, [place / 100 for place in range(100)])
    assert figures.surest_mistakes(many) == list(range(99, 75, -1))
    assert figures.unsurest_hits(many) == []


def test_calibration() -> None:
    """Of four images in one bin, of confidence 0.75 on average, one is right; a fifth one is sure and right."""
    found = made([0] * 5, [0, 1, 1, 1, 0], [0.75, 0.74, 0.76, 0.75, 1.0])
    sure = figures.calibration(found)
    assert sure.counts.tolist() == [0] * 11 + [4, 0, 0, 1]
    assert sure.accuracy[11] == 0.25
    assert np.isnan(sure.accuracy[0])
    assert sure.error == pytest.approx(4 / 5 * 0.5, abs=1e-6)


def test_a_bin_includes_its_upper_end_and_nan_is_left_out() -> None:
    found = made([0, 0, 0, 0], [0, 0, 0, 0], [0.2, 0.21, 0.0, float("nan")])
    assert figures.calibration(found).counts.tolist() == [1, 0, 1, 1] + [0] * 11


def test_a_network_that_is_as_right_as_it_says() -> None:
    found = made([0] * 10, [0] * 7 + [1] * 3, [0.7] * 10)
    assert figures.calibration(found).error == pytest.approx(0.0, abs=1e-6)
