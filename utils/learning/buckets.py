"""Means of many tensors over the ranks, with few all-reduces: what travels together is one vector, a bucket.

Li et al. 2020, https://arxiv.org/abs/2006.15704, section 3.2. On Ascend MindSpore fuses all-reduces by itself, on CPU
it does not; this does the same on both.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops
from mindspore.communication import get_group_size


class BucketMean(nn.Cell):
    """Float32 tensors of any shapes -> the same, each the mean over the ranks of the running job.

    Args:
        sizes: how many tensors, in their order, are in each bucket.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.share = 1.0 / get_group_size()
        self.sum = ops.AllReduce()

    def construct(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        means: tuple[Tensor, ...] = ()
        first = 0
        for size in self.sizes:
            means = (*means, *self.mean(tensors[first : first + size]))
            first += size
        return means

    def mean(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The means of one bucket."""
        flat: tuple[Tensor, ...] = ()
        for tensor in tensors:
            flat = (*flat, ops.reshape(tensor, (-1,)))
        bucket = self.sum(ops.concat(flat)) * self.share
        means: tuple[Tensor, ...] = ()
        first = 0
        for tensor in tensors:
            means = (*means, ops.reshape(bucket[first : first + tensor.size], tensor.shape))
            first += tensor.size
        return means


def split_at(count: int, last: Sequence[int]) -> list[int]:
    """The sizes of the groups of `count` things, given the numbers (from 0) of the last thing of each group.

    Things behind the last number are one more group; numbers of things that are not there have no effect.
    """
    ends = sorted({number + 1 for number in last if 0 <= number < count - 1} | {count})
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
