"""Two evaluations of the same images: which of them each got right, and whether the difference may be chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mindzoo.utils.reports.predictions import Predictions

FEW = 25  # images that only one got right; below it the test is exact


class McNemar(NamedTuple):
    """Whether two classifiers are equally good; see `mcnemar`."""

    p: float
    is_exact: bool


class ClassHits(NamedTuple):
    """One class of the images that two evaluations share."""

    label: int  # in the first
    images: int
    first: int  # hits
    second: int


@dataclass(frozen=True)
class Pairing:
    """The images that two evaluations share: n of them, with the same file name and the same name of their class."""

    first: Predictions
    second: Predictions
    places: np.ndarray  # (n, 2) int64: where each image stands in the first, and in the second
    relabelled: int  # files of both whose class has another name in the second

    def __len__(self) -> int:
        return len(self.places)

    @property
    def hits(self) -> np.ndarray:
        """(n, 2) bool: whether the first got the image right, and the second."""
        return np.stack([self.first.hits[self.places[:, 0]], self.second.hits[self.places[:, 1]]], 1)

    @property
    def table(self) -> tuple[int, int, int, int]:
        """How many images both got right, the first alone, the second alone, and neither."""
        first, second = self.hits.T
        cells = (first & second, first & ~second, ~first & second, ~first & ~second)
        both, only_first, only_second, neither = (int(cell.sum()) for cell in cells)
        return both, only_first, only_second, neither

    def by_class(self) -> list[ClassHits]:
        """The classes in which the two have another number of hits, those with the largest difference first."""
        labels, hits = self.first.labels[self.places[:, 0]], self.hits
        columns = [np.bincount(labels, weights).astype(int).tolist() for weights in (None, *hits.T)]
        rows = [ClassHits(label, *counts) for label, counts in enumerate(zip(*columns, strict=True))]
        return sorted((row for row in rows if row.first != row.second), key=lambda row: -abs(row.second - row.first))

    def only(self, which: int) -> np.ndarray:
        """The `places` of images that one alone got right: those that the other was most sure of come first.

        Args:
            which: 0 for the first, 1 for the second.

        Returns:
            (m, 2) int64.
        """
        hits, other = self.hits, (self.second, self.first)[which]
        found = self.places[hits[:, which] & ~hits[:, 1 - which]]
        return found[np.argsort(-other.shares[found[:, 1 - which], 0], kind="stable")]


def pair(first: Predictions, second: Predictions) -> Pairing:
    """Find the images that two evaluations share. Where the folders of their images are does not matter."""
    where = {file: place for place, file in enumerate(second.files)}
    same_file = [(place, where[file]) for place, file in enumerate(first.files) if file in where]
    common = [
        places
        for places in same_file
        if first.name(int(first.labels[places[0]])) == second.name(int(second.labels[places[1]]))
    ]
    return Pairing(first, second, np.array(common, np.int64).reshape(-1, 2), len(same_file) - len(common))


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """McNemar's test of two classifiers on the same images: how probable so large a difference is if both are equally good.

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, https://doi.org/10.1007/BF02295996: two-sided, by the binomial distribution where fewer than FEW
    images differ; else by chi-square of one degree of freedom, with the correction for continuity of Edwards 1948,
    Psychometrika 13, https://doi.org/10.1007/BF02289261.

    Args:
        only_first: images that the first alone got right.
        only_second: images that the second alone got right.
    """
    differing = only_first + only_second
    if differing < FEW:
        tail = sum(math.comb(differing, count) for count in range(min(only_first, only_second) + 1))
        return McNemar(min(1.0, 2 * tail / 2**differing), True)
    gap = max(abs(only_first - only_second) - 1, 0)
    return McNemar(math.erfc(math.sqrt(gap * gap / differing / 2)), False)
