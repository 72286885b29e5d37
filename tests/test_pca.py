"""Principal components in batches: those of a singular value decomposition of everything at once."""

from __future__ import annotations

import numpy as np
import pytest

from mindzoo.utils.pca import principal_components

NOISE = np.random.default_rng(5)
VECTORS = NOISE.standard_normal((301, 9)) * np.geomspace(1, 1e-3, 9) @ NOISE.standard_normal((9, 9)) + 5


@pytest.mark.parametrize("size", [301, 64, 1])
def test_batches_of_any_size_give_the_decomposition(size: int) -> None:
    found = principal_components(lambda: (VECTORS[start : start + size] for start in range(0, 301, size)))
    mean = VECTORS.mean(axis=0)
    _, singular, directions = np.linalg.svd(VECTORS - mean, full_matrices=False)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.variances, singular**2 / 300, rtol=1e-6)
    np.testing.assert_allclose(np.abs(found.directions @ directions.T), np.eye(9), atol=1e-5)
    assert (found.directions[np.arange(9), np.abs(found.directions).argmax(axis=1)] > 0).all()


def test_directions_without_variance_are_left_out() -> None:
    flat = np.hstack([VECTORS, np.ones((301, 1)), VECTORS[:, :1]]).astype(np.float32)
    assert principal_components(lambda: [flat]).directions.shape == (9, 11)
    assert principal_components(lambda: [flat[:4]]).directions.shape == (3, 11)
    assert principal_components(lambda: [np.ones((7, 3))]).directions.shape == (0, 3)
