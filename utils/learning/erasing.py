"""Random erasing: a rectangle of some pictures of a batch becomes the mean colour.

Zhong et al. 2020, https://arxiv.org/abs/1708.04896, algorithm 1. MindSpore's own operator is a function in Python for one
picture, which draws from a state that all threads share; this is part of the compiled step, and what it draws is a
function of the seed and of the step.
"""

from __future__ import annotations

import math

import mindspore as ms
from mindspore import Tensor, nn, ops

from mindzoo.utils.learning.hashed_uniform import HashedNumbers

AREA = (0.02, 1 / 3)  # smallest and largest share of the picture
RATIO = (0.3, 1 / 0.3)  # of height to width, drawn evenly in its logarithm
ATTEMPTS = 10  # to draw a rectangle that fits; a picture for which none does stays as it is
DRAWS = 4  # numbers of an attempt


class RandomErasing(nn.Cell):
    """Images (B, 3, H, W) float32, normalised, and the number of a draw () int32 -> the same with rectangles of zeros.

    Args:
        probability: of an image to get one.
        seed: another one gives other rectangles.
    """

    def __init__(self, probability: float, seed: int) -> None:
        super().__init__()
        self.probability, self.numbers = probability, HashedNumbers(seed)

    def construct(self, images: Tensor, draw: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        top, bottom, left, right = self.rectangles(draw, batch, height, width)
        rows = ops.arange(0, height, 1).reshape((1, height, 1)).astype(ms.float32)
        columns = ops.arange(0, width, 1).reshape((1, 1, width)).astype(ms.float32)
        in_rows = ops.logical_and(rows >= top, rows < bottom)
        in_columns = ops.logical_and(columns >= left, columns < right)
        kept = ops.logical_not(ops.logical_and(in_rows, in_columns)).astype(ms.float32)
        return images * kept.reshape((batch, 1, height, width))

    def rectangles(self, draw: Tensor, batch: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Top, bottom, left and right of each image's rectangle, (B, 1, 1) float32, the ends excluded; empty for none."""
        drawn = self.numbers(draw, batch * (1 + ATTEMPTS * DRAWS)).reshape((batch, 1 + ATTEMPTS * DRAWS))
        chosen = (drawn[:, :1] < self.probability).astype(ms.float32)
        each = drawn[:, 1:].reshape((batch, ATTEMPTS, DRAWS))
        area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * each[:, :, 0])
        low, high = math.log(RATIO[0]), math.log(RATIO[1])
        ratio = ops.exp(low + (high - low) * each[:, :, 1])
        tall, wide = ops.floor(ops.sqrt(area * ratio) + 0.5), ops.floor(ops.sqrt(area / ratio) + 0.5)
        fits = ops.logical_and(tall < height, wide < width).astype(ms.float32)
        first = chosen * fits * (ops.cumsum(fits, 1) < 1.5).astype(ms.float32)
        top = ops.floor(each[:, :, 2] * (height - tall + 1))
        left = ops.floor(each[:, :, 3] * (width - wide + 1))
        return (
            _of_first(first, top), _of_first(first, top + tall),
            _of_first(first, left), _of_first(first, left + wide),
        )  # fmt: skip


def _of_first(first: Tensor, values: Tensor) -> Tensor:
    """Of each row (B, N) the value where `first` is 1, or 0 where it nowhere is: (B, 1, 1)."""
    return (first * values).sum(1).reshape((-1, 1, 1))
