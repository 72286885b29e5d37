"""Recall, precision, F1, calibration and the choice of the best, by hand; the means are also those of scikit-learn 1.9.1."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mindzoo.utils.scores import sentences
from mindzoo.utils.scores.by_class import ClassCounts, count_by_class
from mindzoo.utils.scores.calibration import Calibration, calibrate
from mindzoo.utils.scores.metric import METRIC_KINDS, value_of_best

LABELS = np.array([0] * 6 + [1] * 3 + [3])
SAID = np.array([0, 0, 0, 0, 1, 2, 1, 1, 1, 0])
FOUND = count_by_class(LABELS, SAID, 5)


def test_shares_of_each_class() -> None:
    """Class 2 has no images and was said once, class 3 was never said, class 4 is not there at all."""
    assert FOUND.images.tolist() == [6, 3, 0, 1, 0]
    assert FOUND.hits.tolist() == [4, 3, 0, 0, 0]
    assert FOUND.said.tolist() == [5, 4, 1, 0, 0]
    nan = math.nan
    np.testing.assert_allclose(FOUND.recall, [4 / 6, 1, nan, 0, nan])
    np.testing.assert_allclose(FOUND.precision, [4 / 5, 3 / 4, 0, nan, nan])
    np.testing.assert_allclose(FOUND.f1, [8 / 11, 6 / 7, nan, 0, nan])


def test_means_leave_out_classes_without_images() -> None:
    """sklearn.metrics: balanced_accuracy_score(LABELS, SAID), f1_score(LABELS, SAID, labels=[0, 1, 3], average="macro")."""
    assert FOUND.balanced_accuracy == pytest.approx(0.5555555555555555)
    assert FOUND.macro_f1 == pytest.approx(0.5281385281385281)
    assert FOUND.balanced_accuracy == pytest.approx((4 / 6 + 1 + 0) / 3)
    nothing = ClassCounts(*np.zeros((3, 4), np.int64))
    assert math.isnan(nothing.balanced_accuracy)
    assert math.isnan(nothing.macro_f1)


def test_what_is_said_of_the_classes() -> None:
    assert sentences.means(FOUND, 0.125) == (
        "over 3 classes, 2 without images left out: balanced accuracy 0.5556, macro F1 0.5281, expected calibration error 0.1250"
    )
    assert [*sentences.worst(FOUND, ["a", "b", "c"])] == [
        "lowest recall: 3 0.00 (0 of 1), a 0.67 (4 of 6)",
        "lowest precision: b 0.75 (3 of 4), a 0.80 (4 of 5)",
    ]
    assert [*sentences.worst(count_by_class(LABELS, LABELS, 4), "abcd")] == []


def test_calibration_of_parts_adds_up() -> None:
    sure = np.random.default_rng(1).uniform(0, 1, 200).astype(np.float32)
    right = np.arange(200) % 3 > 0
    whole, parts = calibrate(sure, right), [calibrate(sure[i::2], right[i::2]) for i in (0, 1)]
    together = Calibration(*(sum(getattr(part, name) for part in parts) for name in ("counts", "hits", "sums")))
    assert together.error == pytest.approx(whole.error, rel=1e-12)
    gaps = [abs(right[place].mean() - sure[place].mean()) * place.sum() for place in _bins(sure)]
    assert whole.error == pytest.approx(sum(gaps) / 200, rel=1e-5)


def _bins(sure: np.ndarray) -> list[np.ndarray]:
    return [place for i in range(15) if (place := (sure > i / 15) & (sure <= (i + 1) / 15)).any()]


ROW = {"top1": 3, "total": 4, "balanced_accuracy": 0.5, "macro_f1": 0.25, "loss": 1.5}


@pytest.mark.parametrize(
    ("metric", "value", "better", "worse"),
    [
        ("top1", 0.75, 0.86, 0.84),
        ("balanced", 0.5, 0.61, 0.59),
        ("macro_f1", 0.25, 0.36, 0.34),
        ("loss", 1.5, 1.39, 1.41),
    ],
)
def test_which_evaluation_is_better(metric: str, value: float, better: float, worse: float) -> None:
    kind = METRIC_KINDS[metric]
    assert kind.value(ROW) == value
    assert kind.is_better(better, value, 0.1)
    assert not kind.is_better(worse, value, 0.1)
    assert not kind.is_better(value, value)
    assert kind.is_better(value, None)
    assert not kind.is_better(math.nan, None)
    assert kind.key({**ROW, "balanced_accuracy": None, "macro_f1": None, "loss": None, "top1": 0}) < kind.key(ROW)


def test_the_best_of_another_metric_is_none() -> None:
    old = {"accuracy": 0.5, "epoch": 1, "step": 6}
    assert value_of_best(old, "top1") == 0.5
    assert value_of_best(old, "loss") is None
    assert value_of_best({**old, "metric": "loss", "value": 2.0}, "loss") == 2.0
    assert value_of_best(None, "top1") is None
