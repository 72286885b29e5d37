"""Random numbers that depend on a seed and a counter only."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.utils.learning.hashed_uniform import HashedUniform


def mixed(bits: np.ndarray) -> np.ndarray:
    """MurmurHash3's finaliser on uint32."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return bits ^ (bits >> np.uint32(16))


def reference(count: int, seed: int, call: int) -> np.ndarray:
    """What call number `call`, from 0, gives."""
    key = mixed(np.array([(call + seed * 0x9E3779B9) & 0xFFFFFFFF], np.uint32))
    bits = mixed(mixed(np.arange(count, dtype=np.uint32) ^ key) + key)
    return ((bits >> np.uint32(9)) + 0.5) / 2**23


@pytest.mark.parametrize("seed", [1, -5])
def test_numbers_are_those_of_unsigned_arithmetic(seed: int) -> None:
    uniform = HashedUniform(seed)
    for call in range(3):
        found = uniform(300).asnumpy()
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, reference(300, seed, call).astype(np.float32))
    assert int(uniform.draws) == 3


def test_all_are_inside_and_spread_evenly() -> None:
    values = np.concatenate([reference(2**16, 1, call) for call in range(16)])
    assert values.min() > 0
    assert values.astype(np.float32).max() < 1
    counts = np.histogram(values, 1000, (0, 1))[0]
    expected = len(values) / 1000
    assert abs(((counts - expected) ** 2 / expected).sum() - 999) < 4 * np.sqrt(2 * 999)


def test_calls_and_seeds_have_nothing_in_common() -> None:
    count = 2**16
    for one, other in [((1, 1), (1, 2)), ((1, 1), (2, 1)), ((1, 2), (2, 1)), ((1, 1), (1, 1 << 20))]:
        a, b = (reference(count, *which) for which in (one, other))
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(count)
        assert abs(np.corrcoef(np.sort(a) - a, b)[0, 1]) < 4 / np.sqrt(count)
        # By chance two of count numbers out of 2^23 are equal count^2 / 2^23 times.
        assert len(np.intersect1d(a, b)) < 2 * count**2 / 2**23


def test_neighbours_have_nothing_in_common() -> None:
    values = reference(2**16, 1, 1)
    for lag in (1, 2, 3, 64, 480):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 4 / np.sqrt(len(values))


def test_the_counter_is_all_the_state() -> None:
    first, again = HashedUniform(1), HashedUniform(1)
    for _ in range(3):
        first(10)
    again.draws.set_data(Tensor(3, ms.int32))
    np.testing.assert_array_equal(again(10).asnumpy(), first(10).asnumpy())
    assert [parameter.name for parameter in first.get_parameters()] == ["draws"]
    assert first.trainable_params() == []
