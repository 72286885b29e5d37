"""How often a network is right when it is so sure: Guo et al. 2017, https://arxiv.org/abs/1706.04599."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Images by the probability of what was said, in (i/BINS, (i+1)/BINS]. Counts and sums of several parts add up."""

    counts: np.ndarray  # (BINS,) int64: images
    hits: np.ndarray  # (BINS,) int64: those that were right
    sums: np.ndarray  # (BINS,) float64: of the probabilities

    @property
    def accuracy(self) -> np.ndarray:
        """(BINS,) float64, NaN without images."""
        return self._means(self.hits)

    @property
    def confidence(self) -> np.ndarray:
        """(BINS,) float64, the mean probability, NaN without images."""
        return self._means(self.sums)

    @property
    def error(self) -> float:
        """The expected calibration error, in 0..1: the mean over images of the gap between the two, by bin."""
        return float(np.abs(self.hits - self.sums).sum() / max(self.counts.sum(), 1))

    def _means(self, sums: np.ndarray) -> np.ndarray:
        return np.where(self.counts > 0, sums / np.maximum(self.counts, 1), np.nan)


def calibrate(sure: np.ndarray, right: np.ndarray) -> Calibration:
    """Of N images; those whose probability is not a number are left out.

    Args:
        sure: (N,) float32, the probability of what was said.
        right: (N,) bool.
    """
    known = np.isfinite(sure)
    sure, right = sure[known], right[known]
    ends = (np.arange(1, BINS) / BINS).astype(np.float32)
    place = np.searchsorted(ends, sure)
    counts, hits = (np.bincount(which, minlength=BINS) for which in (place, place[right]))
    return Calibration(counts, hits, np.bincount(place, sure, BINS))
