"""Mixup and CutMix: each picture of a batch is mixed with another one of it, and the loss takes both labels.

Zhang et al. 2018, https://arxiv.org/abs/1710.09412; Yun et al. 2019, https://arxiv.org/abs/1905.04899. As in timm the partners are
the batch in reversed order, and one share is drawn for a whole batch. The share and the rectangle of every step are drawn
before the training, from the seed, so that a training that goes on draws the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

# The draws of so many steps are kept; later steps take them again, with other images.
MOST_DRAWS = 100_000
# Where both are wanted: how likely CutMix is.
SHARE_OF_CUTMIX = 0.5


@dataclass(frozen=True)
class Mixes:
    """How the batches of N steps are mixed.

    A picture becomes share * itself + (1 - share) * its partner; where the rectangle is not empty, itself with the partner's pixels
    in the rectangle. The loss is share * that of the own label + (1 - share) * that of the partner's.
    """

    shares: np.ndarray  # (N,) float32
    boxes: np.ndarray  # (N, 4) int32: top, bottom, left, right of the rectangle, the ends excluded


def draw(
    count: int, size: Sequence[int], *, mixup: float, cutmix: float, probability: float, seed: Sequence[int]
) -> Mixes:
    """Draw how the batches of `count` steps are mixed; the first ones do not depend on `count`.

    Args:
        size: height and width of the pictures.
        mixup, cutmix: alpha of the beta distribution Beta(alpha, alpha) of the share; 0: not used.
        probability: of a batch to be mixed at all.
        seed: another one gives other draws.
    """
    streams = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(5))
    is_mixed, by_cutmix, of_mixup, of_cutmix, centres = streams
    mixed = is_mixed.random(count) < probability
    cut = by_cutmix.random(count) < (SHARE_OF_CUTMIX if mixup and cutmix else float(cutmix > 0))
    whole, parted = mixed & ~cut, mixed & cut
    shares = np.ones(count)
    if mixup:
        shares[whole] = of_mixup.beta(mixup, mixup, count)[whole]
    boxes = np.zeros((count, 4), np.int32)
    if cutmix:
        places = np.floor(centres.random((count, 2)) * np.asarray(size)).astype(np.int64)
        boxes[parted] = rectangles(of_cutmix.beta(cutmix, cutmix, count), places, size)[parted]
        top, bottom, left, right = boxes.T
        shares[parted] = (1 - (bottom - top) * (right - left) / (size[0] * size[1]))[parted]
    return Mixes(shares.astype(np.float32), boxes)


def rectangles(shares: np.ndarray, centres: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Rectangles of 1 - share of the area, cut off at the picture's edges: Yun et al. 2019, section 3.1, as timm rounds.

    Args:
        shares: (N,) float64.
        centres: (N, 2) int64, y and x.
        size: height and width of the pictures.

    Returns:
        (N, 4) int32: top, bottom, left, right.
    """
    sides = np.asarray(size)
    half = (sides * np.sqrt(1 - shares)[:, None]).astype(np.int64) // 2
    first, end = np.clip(centres - half, 0, sides), np.clip(centres + half, 0, sides)
    return np.stack([first[:, 0], end[:, 0], first[:, 1], end[:, 1]], 1).astype(np.int32)


class Mixing(nn.Cell):
    """Images (B, 3, H, W) float32, labels (B,) int32, step () int32 -> mixed images, (labels, the partners' labels, share).

    Args:
        mixes: of the steps, from 0.
        size: height and width of the images.
        until: from this step on batches stay as they are.
    """

    def __init__(self, mixes: Mixes, size: Sequence[int], until: int) -> None:
        super().__init__()
        self.shares, self.boxes = Tensor(mixes.shares), Tensor(mixes.boxes)
        self.count, self.until, self.one = len(mixes.shares), until, Tensor(1.0, ms.float32)
        height, width = size
        self.rows = Tensor(np.arange(height, dtype=np.int32).reshape(height, 1))
        self.columns = Tensor(np.arange(width, dtype=np.int32).reshape(1, width))

    def construct(self, images: Tensor, labels: Tensor, step: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        place = step % self.count
        active = (step < self.until).astype(ms.float32)
        share = self.one - active * (self.one - ops.gather(self.shares, place, 0))
        own = self.weights(ops.gather(self.boxes, place, 0), share, active)
        mixed = images * own + ops.flip(images, (0,)) * (self.one - own)
        return mixed, (labels, ops.flip(labels, (0,)), share)

    def weights(self, box: Tensor, share: Tensor, active: Tensor) -> Tensor:
        """How much of its own picture a pixel has: (H, W) float32."""
        top, bottom, left, right = box[0], box[1], box[2], box[3]
        in_rows = ops.logical_and(self.rows >= top, self.rows < bottom)
        in_columns = ops.logical_and(self.columns >= left, self.columns < right)
        inside = ops.logical_and(in_rows, in_columns).astype(ms.float32) * active
        is_cut = (ops.logical_and(bottom > top, right > left)).astype(ms.float32)
        return (self.one - inside) * (is_cut + (self.one - is_cut) * share)


class LossOfMixed(nn.Cell):
    """share * loss of the labels + (1 - share) * loss of the partners' labels.

    Of a cross entropy, smoothed or weighted by class, that is the one against mixed targets, as it is linear in them.

    Args:
        loss: (outputs, labels) -> scalar.
    """

    def __init__(self, loss: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss

    def construct(self, outputs: Tensor, targets: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        labels, partners, share = targets
        return share * self.loss(outputs, labels) + (1 - share) * self.loss(outputs, partners)
