"""Principal component analysis of vectors that need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

# Directions with less than this share of the largest variance hold rounding errors of float32.
LEAST_VARIANCE = 1e-10


@dataclass(frozen=True)
class PrincipalComponents:
    """The K directions in which vectors of D numbers vary; float64."""

    mean: np.ndarray  # (D,)
    directions: np.ndarray  # (K, D), rows of length 1 at right angles to each other
    variances: np.ndarray  # (K,) along the directions, largest first


def principal_components(batches: Callable[[], Iterable[np.ndarray]]) -> PrincipalComponents:
    """The directions of the eigenvectors of the covariance, without those in which nothing varies.

    Args:
        batches: called twice, gives the same vectors both times, as arrays (n, D).
    """
    count, total = 0, np.zeros(1)
    for batch in batches():
        count, total = count + len(batch), total + batch.sum(axis=0, dtype=np.float64)
    mean, products = total / count, np.zeros((len(total), len(total)))
    for batch in batches():
        centred = batch - mean
        products += centred.T @ centred
    variances, directions = np.linalg.eigh(products / max(count - 1, 1))
    variances, directions = variances[::-1], directions[:, ::-1].T
    kept = int((variances > LEAST_VARIANCE * variances[0]).sum()) if variances[0] > 0 else 0
    variances, directions = variances[:kept].copy(), directions[:kept]
    # The sign of an eigenvector is arbitrary: make its largest number positive, so that it is the same everywhere.
    largest = directions[np.arange(kept), np.abs(directions).argmax(axis=1)]
    return PrincipalComponents(mean, directions * np.sign(largest)[:, None], variances)
