"""Losses: logits (B, K) float32 and labels (B,) int32 -> a scalar, the mean over the batch, or one number per image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

LEAST_DOUBT = 1e-7  # of 1 - p in the focal loss


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
        losses = -(targets * self.emphasised(log_probabilities)).sum(1)
        if self.weighted:
            losses = losses * (true * self.weights).sum(1)
        return losses.mean() if self.averaged else losses

    def emphasised(self, log_probabilities: Tensor) -> Tensor:
        """(B, K) -> (B, K): the terms that the targets are multiplied with."""
        return log_probabilities


class FocalLoss(SmoothedCrossEntropy):
    """Cross entropy whose terms are multiplied by (1 - p)^gamma: what the network is sure of counts little.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4, with p the probability of the class by softmax, not by a
    sigmoid for each class as in that paper. Smoothed labels have a term for every class, each with the p of its own. A gamma of 0
    is the cross entropy.

    Args:
        gamma: 0 or more.
        options: those of `SmoothedCrossEntropy`.
    """

    def __init__(self, num_classes: int, smoothing: float = 0.0, *, gamma: float, **options: Any) -> None:
        super().__init__(num_classes, smoothing, **options)
        self.gamma = gamma

    def emphasised(self, log_probabilities: Tensor) -> Tensor:
        # A power below 1 has no gradient at 0.
        doubt = ops.maximum(1.0 - ops.exp(log_probabilities), LEAST_DOUBT)
        return ops.pow(doubt, self.gamma) * log_probabilities


class AdjustedLogits(nn.Cell):
    """A loss of logits to which a number for each class is added first.

    Args:
        loss: (logits, labels) -> scalar.
        added: (K,), see `log_priors`.
    """

    def __init__(self, loss: nn.Cell, added: np.ndarray) -> None:
        super().__init__()
        self.loss = loss
        self.added = Tensor(np.asarray(added, np.float32))

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.loss(logits.astype(ms.float32) + self.added, labels)


def class_weights(kind: str, counts: np.ndarray, beta: float = 0.999) -> np.ndarray | None:
    """Factor on the loss of each class, whose mean over all images is 1; None where `kind` is "none".

    Args:
        kind: "balanced", one over the size n of the class; "square_root", one over the root of it; or "effective", one over
            the effective number of its images, (1 - beta^n) / (1 - beta): Cui et al. 2019, https://arxiv.org/abs/1901.05555.
            There the sum of the factors is K; the ratios are the same.
        counts: (K,) images of each class; a class without images has weight 0.
        beta: from 0, where all classes weigh the same, to below 1, which is "balanced".

    Raises:
        ValueError: another kind.
    """
    sizes = np.maximum(counts, 1.0)
    if kind == "none":
        return None
    if kind not in WEIGHT_KINDS:
        raise ValueError(f"class weights {kind!r}; wanted one of none, {', '.join(WEIGHT_KINDS)}")
    weights = np.where(counts > 0, WEIGHT_KINDS[kind](sizes, beta), 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)


WEIGHT_KINDS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "balanced": lambda sizes, beta: 1.0 / sizes,
    "square_root": lambda sizes, beta: sizes**-0.5,
    "effective": lambda sizes, beta: (1.0 - beta) / (1.0 - beta**sizes),
}


def log_priors(counts: np.ndarray, tau: float) -> np.ndarray:
    """What logit adjustment adds: tau * log(share of the class among all images), (K,) float32.

    Menon et al. 2021, https://arxiv.org/abs/2007.07314, equation 10: a network that is trained so needs nothing added when it
    is used. Where tau is 1, its largest logit is of the class that gives the best balanced accuracy.

    Args:
        counts: (K,) images of each class; a class without images counts as one with a single image.
    """
    sizes = np.maximum(counts, 1.0)
    return np.asarray(tau * np.log(sizes / sizes.sum()), np.float32)
