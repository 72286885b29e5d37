"""The numbers that weights are drawn from."""

from __future__ import annotations

import math

import mindspore as ms
import numpy as np
from mindspore.common.initializer import initializer

from mindzoo.models.layers import TruncatedNormal

SIGMA, COUNT = 0.027, 200_000


def drawn(seed: int) -> np.ndarray:
    ms.set_seed(seed)
    return initializer(TruncatedNormal(SIGMA), (COUNT // 100, 4, 5, 5)).init_data().asnumpy()


def distribution(x: np.ndarray) -> np.ndarray:
    """Of a normal that is cut at two sigmas on both sides: the probability of what is below `x` sigmas."""
    below = np.vectorize(lambda value: 0.5 * (1 + math.erf(value / math.sqrt(2))))
    return (below(x) - below(-2.0)) / (below(2.0) - below(-2.0))


def test_a_truncated_normal_has_its_distribution() -> None:
    found = np.sort(drawn(1).ravel().astype(np.float64)) / SIGMA
    assert 1.999 < np.abs(found).max() <= 2.000001
    # Kolmogorov and Smirnov's statistic: of right numbers one in a thousand is above 1.95 / sqrt(count).
    wanted, steps = distribution(found), np.arange(COUNT + 1) / COUNT
    distance = max(np.abs(wanted - steps[1:]).max(), np.abs(wanted - steps[:-1]).max())
    assert distance < 1.95 / COUNT**0.5
    variance = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
    assert abs(found.mean()) < 4 * (variance / COUNT) ** 0.5
    assert abs(found.var() / variance - 1) < 0.01
    # Neighbours have nothing to do with each other: none was drawn twice, and no row follows another.
    assert abs(np.corrcoef(drawn(1).ravel()[:-1], drawn(1).ravel()[1:])[0, 1]) < 4 / COUNT**0.5


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    ms.set_seed(1)
    one, other = (initializer(TruncatedNormal(SIGMA), (3, 3)).init_data().asnumpy() for _ in range(2))
    assert not np.array_equal(one, other)
