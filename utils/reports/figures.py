"""What the predictions of an evaluation amount to: by class, by pair of classes, by confidence, and the images to look at."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.scores.by_class import count_by_class
from mindzoo.utils.scores.calibration import Calibration, calibrate

MOST_IMAGES = 24


class ClassFigures(NamedTuple):
    """One class of the evaluation."""

    label: int
    images: int
    top1: int
    top5: int
    taken_for: int | None  # the class that most of its mistakes are of; None without mistakes
    times: int
    said: int  # images that were taken for it

    @property
    def precision(self) -> float:
        """The share that is right of those; NaN where there are none."""
        return self.top1 / self.said if self.said else math.nan

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and precision, in 0..1."""
        return 2 * self.top1 / (self.images + self.said)


class Pair(NamedTuple):
    """Images of one class that were taken for another."""

    label: int
    said: int
    times: int


def pairs(found: Predictions) -> list[Pair]:
    """All pairs that were mistaken, the most frequent first."""
    width = int(found.best.max()) + 1
    wrong = ~found.hits
    codes = found.labels[wrong].astype(np.int64) * width + found.best[wrong, 0]
    kinds, times = np.unique(codes, return_counts=True)
    order = np.argsort(-times, kind="stable")
    return [Pair(int(kinds[i]) // width, int(kinds[i]) % width, int(times[i])) for i in order]


def by_class(found: Predictions, mistaken: list[Pair]) -> list[ClassFigures]:
    """Every class that has images, by label.

    Args:
        mistaken: see `pairs`.
    """
    size = int(max(found.labels.max(), found.best[:, 0].max())) + 1
    counts = count_by_class(found.labels, found.best[:, 0], size)
    in_top = (found.best[:, :5] == found.labels[:, None]).any(1)
    top5 = np.bincount(found.labels[in_top], minlength=size)
    worst: dict[int, Pair] = {}
    for pair in mistaken:
        worst.setdefault(pair.label, pair)
    rows = []
    for label in np.flatnonzero(counts.present).tolist():
        taken_for, times = worst[label][1:] if label in worst else (None, 0)
        images, top1, said = (int(of[label]) for of in (counts.images, counts.hits, counts.said))
        rows.append(ClassFigures(label, images, top1, int(top5[label]), taken_for, times, said))
    return rows


def worst_classes(found: Predictions, mistaken: list[Pair], most: int) -> list[int]:
    """The labels, in their order, of at most so many classes: those with the most mistakes, made of them or into them."""
    size = int(max(found.labels.max(), found.best[:, 0].max())) + 1
    mistakes = np.zeros(size, np.int64)
    for label, said, times in mistaken:
        mistakes[label] += times
        mistakes[said] += times
    there = np.union1d(found.labels, found.best[:, 0])
    order = there[np.argsort(-mistakes[there], kind="stable")]
    return sorted(order[:most].tolist())


def confusion(found: Predictions, labels: list[int]) -> np.ndarray:
    """How often images of class `labels[i]` were taken for class `labels[j]`: (n, n) int64."""
    place = np.full(int(max(found.labels.max(), found.best[:, 0].max())) + 1, -1)
    place[labels] = np.arange(len(labels))
    rows, columns = place[found.labels], place[found.best[:, 0]]
    shown = (rows >= 0) & (columns >= 0)
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (rows[shown], columns[shown]), 1)
    return counts


def calibration(found: Predictions) -> Calibration:
    """Accuracy by confidence; images whose probability is not a number are left out."""
    return calibrate(found.shares[:, 0], found.hits)


def surest_mistakes(found: Predictions) -> list[int]:
    """The places of at most MOST_IMAGES images, the most confident mistake first."""
    return _extreme(np.flatnonzero(~found.hits), -found.shares[:, 0])


def unsurest_hits(found: Predictions) -> list[int]:
    """The places of at most MOST_IMAGES images, the least confident hit first."""
    return _extreme(np.flatnonzero(found.hits), found.shares[:, 0])


def _extreme(places: np.ndarray, keys: np.ndarray) -> list[int]:
    return [int(i) for i in places[np.argsort(keys[places], kind="stable")][:MOST_IMAGES]]
