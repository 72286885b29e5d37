"""The documented API for writing the weights of a whitened network, which the model's README shows.

No command of mindzoo calls `whitened`, `pca_whitening` or `folded`: they are for those who whiten a trained network in
Python. They need NumPy only. The layer that uses the weights is in `whitening_layer.py`.

As in the paper (Berman et al. 2019, https://arxiv.org/abs/1902.05509): the pooled vector e of C numbers gets
a constant 1 appended, which carries the classifier's bias, and x = (e, 1) / |(e, 1)| is whitened by PCA,
y = (x - m) P. With the classifier W, b of e, the one of y is

    W' = [W | b] (P^T)^-1        b' = [W | b] m

so that W' y + b' = [W | b] x = (W e + b) / |(e, 1)|: logits divided by a positive number, and the same class wins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mindzoo.models.multigrain.constants import NORM_EPSILON
from mindzoo.utils.pca import principal_components


def whitened(weights: Mapping[str, np.ndarray], pooled: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of the network with `whitening`, from those without it.

    Args:
        weights: by name.
        pooled: (N, C) what `MultiGrain.pooled` gives for N images, more than C + 1 of them.

    Raises:
        ValueError: as `pca_whitening`.
    """
    extended = np.hstack([pooled, np.ones((len(pooled), 1))]).astype(np.float64)
    lengths = np.linalg.norm(extended, axis=1, keepdims=True)
    projection, mean = pca_whitening(extended / (lengths + NORM_EPSILON))
    weight, bias = folded(weights["end_point.weight"], weights["end_point.bias"], projection, mean)
    made = {
        "whitening.mean": mean,
        "whitening.projection": projection,
        "end_point.weight": weight,
        "end_point.bias": bias,
    }
    return {**weights, **{name: value.astype(np.float32) for name, value in made.items()}}


def pca_whitening(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The projection (C, C) and mean (C,), float64, that give the rows of `x` (N, C) mean 0 and covariance 1.

    The columns of the projection are the principal components divided by the standard deviation along them.

    Raises:
        ValueError: the vectors do not vary in every direction, so that some would be divided by 0.
    """
    found = principal_components(lambda: [x])
    if len(found.directions) < x.shape[1]:
        raise ValueError(
            f"{len(x)} vectors of {x.shape[1]} numbers vary in {len(found.directions)} directions; whitening needs "
            "vectors that vary in all: give more of them, and more different ones"
        )
    return found.directions.T / np.sqrt(found.variances), found.mean


def folded(
    weight: np.ndarray, bias: np.ndarray, projection: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The classifier of whitened vectors, from that of pooled ones; see the module's head.

    Args:
        weight: (K, C); bias: (K,).
        projection: (C + 1, C + 1), invertible; mean: (C + 1,).

    Returns:
        (K, C + 1) and (K,) float64.
    """
    extended = np.hstack([weight, bias[:, None]]).astype(np.float64)
    # W' P^T = [W | b], solved as P W'^T = [W | b]^T
    return np.linalg.solve(projection.astype(np.float64), extended.T).T, extended @ mean.astype(np.float64)
