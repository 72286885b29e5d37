"""Losses: logits (B, K) float32 and labels (B,) int32 -> a scalar, the mean over the batch, or one number per image."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops


class SmoothedCrossEntropy(nn.Cell):
    """Cross entropy against labels of `1 - s` for the true class and `s / (K - 1)` for every other one.

    The original zoo's reading of label smoothing; Szegedy et al. 2016 (https://arxiv.org/abs/1512.00567) and
    nn.CrossEntropyLoss spread `s / K` over all classes, the true one included. Smoothing 0 is plain cross entropy.

    Args:
        weights: (K,) factor on the loss of the images of each class; see `class_weights`.
        reduction: "mean" for a scalar, "none" for (B,) float32.

    Raises:
        ValueError: smoothing asked for with fewer than two classes.
    """

    def __init__(
        self,
        num_classes: int,
        smoothing: float = 0.0,
        *,
        weights: np.ndarray | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if smoothing and num_classes < 2:
            raise ValueError(f"label smoothing needs two classes or more, got {num_classes}")
        self.num_classes, self.averaged = num_classes, reduction == "mean"
        self.on = 1.0 - smoothing
        self.off = smoothing / (num_classes - 1) if smoothing else 0.0
        self.weighted = weights is not None
        self.weights = Tensor(np.asarray(weights if weights is not None else [1.0], np.float32))

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_probabilities = ops.log_softmax(logits.astype(ms.float32), 1)
        true = ops.one_hot(labels, self.num_classes, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
        targets = true * (self.on - self.off) + self.off
        losses = -(targets * log_probabilities).sum(1)
        if self.weighted:
            losses = losses * (true * self.weights).sum(1)
        return losses.mean() if self.averaged else losses


def class_weights(kind: str, counts: np.ndarray) -> np.ndarray | None:
    """Factor on the loss of each class, whose mean over all images is 1; None where `kind` is "none".

    Args:
        kind: "balanced", one over the size of the class, or "square_root", one over the root of it.
        counts: (K,) images of each class; a class without images has weight 0.

    Raises:
        ValueError: another kind.
    """
    powers = {"none": 0.0, "balanced": -1.0, "square_root": -0.5}
    if kind not in powers:
        raise ValueError(f"class weights {kind!r}; wanted one of {', '.join(powers)}")
    if kind == "none":
        return None
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** powers[kind], 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)
