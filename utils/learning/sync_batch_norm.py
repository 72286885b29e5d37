"""Batch norm over the images of all ranks, so that a small batch per rank normalises as a large one would.

Peng et al. 2018, https://arxiv.org/abs/1711.07240, section 3.2. MindSpore's own nn.SyncBatchNorm is for Ascend alone.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from mindzoo.utils.ranks import Sum


class Moments(nn.Cell):
    """(B, C, ...) -> mean and variance of each channel over all other axes and over all ranks, (1, C, ...) float32.

    Args:
        size: number of ranks; with 1 nothing is sent.

    The deviations are summed in a second round, since the difference of the mean square and the squared mean loses
    digits.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.sum = Sum() if size > 1 else nn.Identity()

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        axes = (0, *range(2, x.ndim))
        share = 1.0 / (self.size * x.size // x.shape[1])
        mean = self.sum(x.sum(axes, keepdims=True)) * share
        deviation = x - mean
        return mean, self.sum((deviation * deviation).sum(axes, keepdims=True)) * share


def _normalised(self: nn.Cell, x: Tensor) -> Tensor:
    """What a batch norm in training gives, and its moving statistics' update."""
    mean, variance = self.moments(x.astype(ms.float32))
    shape = mean.shape
    scale = self.gamma.reshape(shape) * ops.rsqrt(variance + self.eps)
    y = (x.astype(ms.float32) - mean) * scale + self.beta.reshape(shape)
    count = self.moments.size * x.size // x.shape[1]
    kept, share = 1.0 - self.momentum, self.momentum  # of nn.BatchNorm: the share of the new
    unbiased = variance * (count / max(count - 1, 1))
    ops.assign(self.moving_mean, self.moving_mean * kept + ops.stop_gradient(mean).reshape((-1,)) * share)
    ops.assign(self.moving_variance, self.moving_variance * kept + ops.stop_gradient(unbiased).reshape((-1,)) * share)
    return y.astype(x.dtype)


class SyncedBatchNorm1d(nn.BatchNorm1d):
    """Made of an nn.BatchNorm1d by `synchronise`."""

    def construct(self, x: Tensor) -> Tensor:
        return _normalised(self, x) if self.training else super().construct(x)


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Made of an nn.BatchNorm2d by `synchronise`."""

    def construct(self, x: Tensor) -> Tensor:
        return _normalised(self, x) if self.training else super().construct(x)


SYNCED = {nn.BatchNorm1d: SyncedBatchNorm1d, nn.BatchNorm2d: SyncedBatchNorm2d}


def synchronise(network: nn.Cell, size: int) -> int:
    """Let the batch norms of `network` use the statistics of all `size` ranks in training; return how many do.

    A cell keeps its place, names and values, and gets another class. Batch norms that keep their statistics, because
    their layer is frozen, are left alone.
    """
    count = 0
    for _, cell in network.cells_and_names():
        kind = next((base for base in SYNCED if isinstance(cell, base)), None)
        if kind and cell.use_batch_statistics is None and not hasattr(cell, "moments"):
            cell.moments = Moments(size)
            cell.__class__ = _synced(type(cell), kind)
            count += 1
    return count


def _synced(kind: type[nn.Cell], base: type[nn.Cell]) -> type[nn.Cell]:
    """`kind` with the norm over all ranks in place of its own: a batch norm, or one with a step behind `normalise`."""
    if kind is base:
        return SYNCED[base]
    return type(f"Synced{kind.__name__}", (kind,), {"normalise": _normalised_in_training, "alone": kind.normalise})


def _normalised_in_training(self: nn.Cell, x: Tensor) -> Tensor:
    return _normalised(self, x) if self.training else self.alone(x)
