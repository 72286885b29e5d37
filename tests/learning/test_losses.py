"""Losses against NumPy in float64."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from mindzoo.utils.learning.losses import SmoothedCrossEntropy, class_weights


def reference(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    """The mean over the batch of -sum(targets * log softmax)."""
    classes = logits.shape[1]
    targets = np.full(logits.shape, smoothing / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - smoothing
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-(targets * log_probabilities).sum(1).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("batch", "classes", "scale"), [(1, 2, 1), (5, 10, 3), (4, 1000, 1), (3, 4, 200)])
def test_cross_entropy(batch: int, classes: int, scale: float, smoothing: float) -> None:
    noise = np.random.default_rng(1)
    logits = (scale * noise.standard_normal((batch, classes))).astype(np.float32)
    labels = noise.integers(0, classes, batch).astype(np.int32)
    found = SmoothedCrossEntropy(classes, smoothing)(Tensor(logits), Tensor(labels))
    assert found.shape == ()
    assert found.dtype == ms.float32
    np.testing.assert_allclose(float(found), reference(logits, labels, smoothing), rtol=1e-5, atol=5e-6)


def test_a_case_by_hand() -> None:
    """Two classes with probabilities 3/4 and 1/4: -(0.9 ln 0.75 + 0.1 ln 0.25) = 0.3975433."""
    logits = Tensor(np.array([[np.log(3.0), 0.0]], np.float32))
    found = SmoothedCrossEntropy(2, 0.1)(logits, Tensor(np.array([0], np.int32)))
    np.testing.assert_allclose(float(found), 0.3975433, atol=5e-6)


def test_half_precision_logits_give_a_full_precision_loss() -> None:
    logits = np.array([[2.0, 0.0, 1.0]], np.float16)
    found = SmoothedCrossEntropy(3)(Tensor(logits), Tensor(np.array([0], np.int32)))
    assert found.dtype == ms.float32
    np.testing.assert_allclose(float(found), reference(logits.astype(np.float32), np.array([0]), 0.0), atol=5e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_is_softmax_minus_targets(smoothing: float) -> None:
    logits = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    loss = SmoothedCrossEntropy(4, smoothing)
    labels = Tensor(np.array([1, 3], np.int32))
    found = ops.grad(loss)(Tensor(logits), labels).asnumpy()
    targets = np.full((2, 4), smoothing / 3)
    targets[[0, 1], [1, 3]] = 1 - smoothing
    exponentials = np.exp(logits.astype(np.float64))
    wanted = (exponentials / exponentials.sum(1, keepdims=True) - targets) / 2
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_smoothing_needs_two_classes() -> None:
    with pytest.raises(ValueError, match=r"^label smoothing needs two classes or more, got 1$"):
        SmoothedCrossEntropy(1, 0.1)
    assert SmoothedCrossEntropy(1).num_classes == 1


COUNTS = np.array([1, 4, 0, 16])


@pytest.mark.parametrize(("kind", "ratios"), [("balanced", [16, 4, 0, 1]), ("square_root", [4, 2, 0, 1])])
def test_class_weights(kind: str, ratios: list[int]) -> None:
    weights = class_weights(kind, COUNTS)
    assert weights is not None
    np.testing.assert_allclose(weights / weights[3], ratios, rtol=1e-6)
    assert (weights * COUNTS).sum() == pytest.approx(COUNTS.sum())


def test_no_class_weights() -> None:
    assert class_weights("none", COUNTS) is None
    with pytest.raises(ValueError, match="class weights 'half'; wanted one of none, balanced, square_root"):
        class_weights("half", COUNTS)


def test_weights_multiply_the_losses_of_their_class() -> None:
    logits = Tensor(np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32))
    labels = Tensor(np.array([0, 1, 1], np.int32))
    each = SmoothedCrossEntropy(4, 0.1, reduction="none")(logits, labels).asnumpy()
    weighted = SmoothedCrossEntropy(4, 0.1, weights=np.array([3.0, 0.5, 1, 1]))(logits, labels)
    assert float(weighted) == pytest.approx((3 * each[0] + 0.5 * each[1] + 0.5 * each[2]) / 3, rel=1e-6)
    assert float(SmoothedCrossEntropy(4, 0.1)(logits, labels)) == pytest.approx(each.mean(), rel=1e-6)
