"""Mixup and CutMix: shares, rectangles, mixed pictures and losses, held against timm's numbers and against NumPy.

timm's are of timm 1.0.22 (PyTorch 2.13): `rand_bbox` with fixed centres, `Mixup(...)` after `np.random.seed(3)`, and
`cross_entropy(logits, mixup_target([0, 2], 3, 0.3, smoothing))`.
"""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.tests.support.keys import LABELS, LOGITS
from mindzoo.tests.support.networks import eagerly
from mindzoo.utils.learning import mixing
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.mixing import LossOfMixed, Mixes, Mixing

# Share, centre (y, x), then timm's top, bottom, left, right for 32 x 48 pixels.
TIMM_BOXES = [
    (0.9, 0, 0, 0, 5, 0, 7),
    (0.9, 16, 24, 11, 21, 17, 31),
    (0.9, 31, 47, 26, 32, 40, 48),
    (0.5, 5, 40, 0, 16, 24, 48),
    (0.3, 16, 24, 3, 29, 4, 44),
    (0.3, 31, 47, 18, 32, 27, 48),
    (0.02, 16, 24, 1, 31, 1, 47),
    (0.02, 5, 40, 0, 20, 17, 48),
    (0.999, 16, 24, 16, 16, 24, 24),
]
PAIR = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4)
NO_BOX = (0, 0, 0, 0)


def draw(count: int, **more: float) -> Mixes:
    values = {"mixup": 0.2, "cutmix": 1.0, "probability": 1.0, **more}
    return mixing.draw(count, (32, 48), seed=(1, 0, 2), **values)


def is_cut(mixes: Mixes) -> np.ndarray:
    top, bottom, left, right = mixes.boxes.T
    return (bottom > top) & (right > left)


def mixed(
    images: np.ndarray, share: float, box: tuple[int, ...], step: int = 0, until: int = 1
) -> tuple[np.ndarray, ...]:
    mixes = Mixes(np.array([share], np.float32), np.array([box], np.int32))
    cell = Mixing(mixes, images.shape[2:], until)
    with eagerly():
        found, (labels, partners, own) = cell(Tensor(images), Tensor(LABELS), Tensor(np.int32(step)))
    return found.asnumpy(), labels.asnumpy(), partners.asnumpy(), own.asnumpy()


def test_rectangles_are_those_of_timm() -> None:
    table = np.array(TIMM_BOXES)
    found = mixing.rectangles(table[:, 0], table[:, 1:3].astype(np.int64), (32, 48))
    np.testing.assert_array_equal(found, table[:, 3:])


def test_the_share_of_cutmix_is_what_is_left_of_the_picture() -> None:
    mixes = draw(5000, mixup=0.0)
    top, bottom, left, right = mixes.boxes.T
    assert mixes.boxes.min() >= 0
    assert (bottom.max(), right.max()) == (32, 48)
    np.testing.assert_allclose(mixes.shares, 1 - (bottom - top) * (right - left) / (32 * 48), rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_of_mixup_are_of_a_beta_distribution(alpha: float) -> None:
    """Of mean 1/2 and of variance 1 / (4 (2 alpha + 1))."""
    shares = draw(40_000, mixup=alpha, cutmix=0.0).shares.astype(np.float64)
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_one_batch_of_two_gets_each_and_some_none() -> None:
    mixes = draw(40_000, probability=0.6)
    untouched = mixes.shares == 1
    # Some rectangles are empty: their centre is at an edge, or they are smaller than two pixels.
    assert is_cut(mixes).mean() == pytest.approx(0.3, abs=0.01)
    assert (~untouched & ~is_cut(mixes)).mean() == pytest.approx(0.3, abs=0.01)
    assert draw(100, probability=0.0).shares.min() == 1


def test_draws_depend_on_seed_and_step_only() -> None:
    few, many = draw(10), draw(1000)
    np.testing.assert_array_equal(few.shares, many.shares[:10])
    np.testing.assert_array_equal(few.boxes, many.boxes[:10])
    other = mixing.draw(10, (32, 48), mixup=0.2, cutmix=1.0, probability=1.0, seed=(1, 1, 2))
    assert not np.array_equal(few.shares, other.shares)


def test_a_mixed_pair_is_that_of_timm() -> None:
    images, labels, partners, share = mixed(PAIR, 0.9884366624032588, NO_BOX)
    np.testing.assert_allclose(images[0, 0, 0], [0.185013, 1.185013, 2.185013, 3.185013], rtol=1e-5)
    np.testing.assert_allclose(images[1, 0, 3], [27.814985, 28.814987, 29.814985, 30.814987], rtol=1e-6)
    assert (labels.tolist(), partners.tolist()) == ([0, 2], [2, 0])
    assert share == pytest.approx(0.98843666)


def test_a_pair_with_rectangles_is_that_of_timm() -> None:
    images, _, _, share = mixed(PAIR, 0.875, (0, 2, 0, 2))
    wanted = PAIR.copy()
    wanted[:, :, :2, :2] = PAIR[::-1, :, :2, :2]
    np.testing.assert_array_equal(images, wanted)
    assert images[0, 0, 0].tolist() == [16, 17, 2, 3]
    assert share == 0.875


def test_nothing_is_mixed_from_a_step_on_and_draws_come_again() -> None:
    box = (0, 2, 0, 2)
    images, _, _, share = mixed(PAIR, 0.875, box, step=7, until=7)
    np.testing.assert_array_equal(images, PAIR)
    assert share == 1
    again, first = mixed(PAIR, 0.875, box, step=6, until=7), mixed(PAIR, 0.875, box)
    np.testing.assert_array_equal(again[0], first[0])
    assert not np.array_equal(first[0], PAIR)


@pytest.mark.parametrize(
    # timm spreads its smoothing of 0.1 over all three classes, ours spreads s over the two others.
    ("smoothing", "wanted"), [(0.0, 2.269845962524414), (0.2 / 3, 2.2265126705169678)]
)  # fmt: skip
def test_the_loss_is_that_of_timm(smoothing: float, wanted: float) -> None:
    loss = LossOfMixed(SmoothedCrossEntropy(3, smoothing))
    targets = Tensor(LABELS), Tensor(LABELS[::-1].copy()), Tensor(np.float32(0.3))
    with eagerly():
        assert float(loss(Tensor(LOGITS), targets)) == pytest.approx(wanted, rel=1e-6)


def test_a_weight_of_a_class_goes_with_its_share() -> None:
    weights = np.array([2.0, 1.0, 0.5])
    logs = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    wanted = -np.mean([0.3 * 2 * logs[0, 0] + 0.7 * 0.5 * logs[0, 2], 0.3 * 0.5 * logs[1, 2] + 0.7 * 2 * logs[1, 0]])
    loss = LossOfMixed(SmoothedCrossEntropy(3, weights=weights))
    targets = Tensor(LABELS), Tensor(LABELS[::-1].copy()), Tensor(np.float32(0.3))
    with eagerly():
        assert float(loss(Tensor(LOGITS), targets)) == pytest.approx(wanted, rel=1e-6)
