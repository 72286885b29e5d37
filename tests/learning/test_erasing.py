"""Random erasing: how many pictures, which rectangles, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.tests.support.networks import eagerly
from mindzoo.utils.learning import erasing
from mindzoo.utils.learning.erasing import RandomErasing

HEIGHT, WIDTH = 20, 30


def erased(probability: float, draw: int = 0) -> np.ndarray:
    """Where pixels are gone: (B, H, W) bool; all channels alike, and what stays as it was."""
    images = np.random.default_rng(0).uniform(1, 2, (400, 2, HEIGHT, WIDTH)).astype(np.float32)
    with eagerly():
        found = RandomErasing(probability, 1)(Tensor(images), Tensor(np.int32(draw))).asnumpy()
    gone = (found == 0).all(1)
    np.testing.assert_array_equal(found, images * ~gone[:, None])
    return gone


def test_what_is_gone_is_a_rectangle_of_the_right_size_anywhere() -> None:
    gone = erased(1.0)
    rows, columns = gone.any(2), gone.any(1)
    np.testing.assert_array_equal(gone, rows[:, :, None] & columns[:, None])
    tall, wide = rows.sum(1), columns.sum(1)
    for sides, flags in ((tall, rows), (wide, columns)):
        steps = np.diff(np.pad(flags, ((0, 0), (1, 1))).astype(int), axis=1)
        assert ((steps == 1).sum(1) <= 1).all()  # without a gap
        assert sides.min() > 0
    area = gone.mean((1, 2))
    # A side is rounded by half a pixel at most.
    assert ((tall - 0.5) * (wide - 0.5) <= erasing.AREA[1] * HEIGHT * WIDTH).all()
    assert ((tall + 0.5) * (wide + 0.5) >= erasing.AREA[0] * HEIGHT * WIDTH).all()
    assert area.mean() == pytest.approx(np.mean(erasing.AREA), abs=0.02)
    ratio = np.log(tall / wide)
    assert ratio.mean() == pytest.approx(0, abs=0.1)
    assert np.exp(np.abs(ratio)).max() < 4.5  # 1 / 0.3, with rounded sides
    gone = gone.mean(0)  # of how many pictures each pixel
    assert (min(gone[0].max(), gone[-1].max(), gone[:, 0].max(), gone[:, -1].max())) > 0
    np.testing.assert_allclose(gone[: HEIGHT // 2].mean(), gone[HEIGHT // 2 :].mean(), rtol=0.2)
    np.testing.assert_allclose(gone[:, : WIDTH // 2].mean(), gone[:, WIDTH // 2 :].mean(), rtol=0.2)


def test_some_pictures_lose_a_part_others_at_each_draw() -> None:
    first = erased(0.25)
    assert first.any((1, 2)).mean() == pytest.approx(0.25, abs=0.06)
    assert not np.array_equal(erased(0.25, draw=1), first)
