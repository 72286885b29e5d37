"""What counts by class amount to: recall, precision, F1, and their means over the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassCounts:
    """Of each of K classes; a class that the evaluation has no images of is left out of every mean."""

    images: np.ndarray  # (K,) int64: those of the class
    hits: np.ndarray  # (K,) int64: those of the class that were taken for it
    said: np.ndarray  # (K,) int64: those that were taken for it, of whatever class

    @property
    def present(self) -> np.ndarray:
        """(K,) bool: the class has images."""
        return np.asarray(self.images > 0)

    @property
    def recall(self) -> np.ndarray:
        """(K,) float64: the share of its images that was found; NaN without images."""
        return _shares(self.hits, self.images)

    @property
    def precision(self) -> np.ndarray:
        """(K,) float64: the share that is right of what was taken for it; NaN where nothing was."""
        return _shares(self.hits, self.said)

    @property
    def f1(self) -> np.ndarray:
        """(K,) float64: the harmonic mean of recall and precision, 0 where nothing was taken for the class; NaN without images."""
        return np.where(self.present, _shares(2 * self.hits, self.images + self.said), np.nan)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall, in 0..1; NaN without any image."""
        return _mean(self.recall[self.present])

    @property
    def macro_f1(self) -> float:
        """The mean of the F1 of each class, in 0..1; NaN without any image."""
        return _mean(self.f1[self.present])


def count_by_class(labels: np.ndarray, said: np.ndarray, classes: int) -> ClassCounts:
    """The counts of N images.

    Args:
        labels: (N,) their classes, from 0.
        said: (N,) what they were taken for.
        classes: K; all numbers are below it.
    """
    of_class, hits, taken = (
        np.bincount(which, minlength=classes) for which in (labels, labels[labels == said], said)
    )  # fmt: skip
    return ClassCounts(of_class, hits, taken)


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
