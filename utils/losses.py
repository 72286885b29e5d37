"""Losses: logits (B, K) float32 and labels (B,) int32 -> a scalar, the mean over the batch."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops


class SmoothedCrossEntropy(nn.Cell):
    """Cross entropy against labels of `1 - s` for the true class and `s / (K - 1)` for every other one.

    The original zoo's reading of label smoothing; Szegedy et al. 2016 (https://arxiv.org/abs/1512.00567) and
    nn.CrossEntropyLoss spread `s / K` over all classes, the true one included. Smoothing 0 is plain cross entropy.

    Raises:
        ValueError: smoothing asked for with fewer than two classes.
    """

    def __init__(self, num_classes: int, smoothing: float = 0.0) -> None:
        super().__init__()
        if smoothing and num_classes < 2:
            raise ValueError(f"label smoothing needs two classes or more, got {num_classes}")
        self.num_classes = num_classes
        self.on = 1.0 - smoothing
        self.off = smoothing / (num_classes - 1) if smoothing else 0.0

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_probabilities = ops.log_softmax(logits.astype(ms.float32), 1)
        true = ops.one_hot(labels, self.num_classes, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
        targets = true * (self.on - self.off) + self.off
        return -(targets * log_probabilities).sum(1).mean()
