"""How much two computations of the same differ."""

from __future__ import annotations

import numpy as np

# The largest difference of an output, relative to the largest output, that is still the same network.
TOLERANCE = 1e-4


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of an output, relative to the largest output; infinite where the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))
