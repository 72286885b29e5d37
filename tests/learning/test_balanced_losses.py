"""Losses for classes of very different sizes, against PyTorch 2.13 and by hand.

The numbers are those of PyTorch in float64 for LOGITS, LABELS and COUNTS, with F.log_softmax and F.cross_entropy:

    ce = F.cross_entropy(L, y, reduction="none"); p = torch.exp(-ce)
    focal = ((1 - p) ** gamma * ce).mean()
    w = (1 - beta) / (1 - beta**n); w = w * n.sum() / (w * n).sum(); F.cross_entropy(L, y, weight=w, reduction="none").mean()
    F.cross_entropy(L + tau * torch.log(n / n.sum()), y, label_smoothing=s)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.models.multigrain.keys import MultiGrainTrainConfig
from mindzoo.models.multigrain.spec import SPEC as MULTIGRAIN
from mindzoo.utils.learning.losses import AdjustedLogits, FocalLoss, SmoothedCrossEntropy, class_weights, log_priors
from mindzoo.utils.training import setup

LOGITS = np.array([[2, 0, -1, 0.5], [0, 1, 3, -2], [0.3, -0.7, 1.1, 0.9]], np.float32)
LABELS = np.array([0, 1, 3], np.int32)
COUNTS = np.array([1000, 100, 10, 1])
ALL_LABELS = np.repeat(np.arange(4), COUNTS).astype(np.int32)


def value(loss: nn.Cell) -> float:
    return float(loss(Tensor(LOGITS), Tensor(LABELS)))


def gradient(loss: nn.Cell, logits: np.ndarray = LOGITS) -> np.ndarray:
    return np.asarray(ops.grad(loss)(Tensor(logits), Tensor(LABELS)).asnumpy())


def built(**settings: Any) -> float:
    """The loss that a training with these keys has."""
    return value(setup.build_loss(DenseNetTrainConfig(**settings), 4, ALL_LABELS))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"loss": "focal"}, 0.7392894105),
        ({"loss": "focal", "focal_gamma": 0.5}, 1.0399692345),
        ({"loss": "focal", "label_smooth": True}, 0.8668505057),
        ({"class_weights": "effective"}, 88.8750557873),
        ({"class_weights": "effective", "effective_beta": 0.9}, 4.4131896293),
        ({"class_weights": "effective", "effective_beta": 0.9, "loss": "focal"}, 2.1502859479),
        ({"logit_adjustment": 1.0}, 2.6902524979),
        ({"logit_adjustment": 0.5}, 1.5821361047),
        # PyTorch spreads s / K over all classes: its s is 0.1 * 4 / 3.
        ({"logit_adjustment": 1.0, "label_smooth": True}, 2.8580877222),
    ],
    ids=str,
)
def test_the_loss_of_these_keys_is_that_of_pytorch(settings: dict[str, Any], wanted: float) -> None:
    assert built(**settings) == pytest.approx(wanted, rel=2e-6)


def test_gradients_are_those_of_pytorch() -> None:
    focal = [
        [-0.0217418169, 0.0072073897, 0.0026514505, 0.0118829767],
        [0.0170397566, -0.3615984977, 0.3422526608, 0.0023060803],
        [0.0570367901, 0.0209826625, 0.1269377107, -0.2049571632],
    ]
    adjusted = [
        [-0.0046847311, 0.0044477752, 0.0001636245, 0.0000733314],
        [0.2263233696, -0.2718122631, 0.0454582640, 0.0000306295],
        [0.3142088625, 0.0115590981, 0.0069928468, -0.3327608075],
    ]
    np.testing.assert_allclose(gradient(FocalLoss(4, gamma=2.0)), focal, rtol=0, atol=5e-6)
    loss = AdjustedLogits(SmoothedCrossEntropy(4), log_priors(COUNTS, 1.0))
    np.testing.assert_allclose(gradient(loss), adjusted, rtol=0, atol=5e-6)


def test_the_focal_loss_by_hand() -> None:
    """Probabilities 3/4 and 1/4, the first is true: (1/4)^2 ln(4/3) = 0.0179801; a gamma of 0 is the cross entropy."""
    logits, label = Tensor(np.array([[np.log(3.0), 0.0]], np.float32)), Tensor(np.array([0], np.int32))
    assert float(FocalLoss(2, gamma=2.0)(logits, label)) == pytest.approx(0.0179801, abs=1e-6)
    assert value(FocalLoss(4, 0.1, gamma=0.0)) == pytest.approx(value(SmoothedCrossEntropy(4, 0.1)), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_of_what_is_certain_has_a_gradient(gamma: float) -> None:
    certain = np.where(np.arange(4) == LABELS[:, None], 200, 0).astype(np.float32)
    assert np.abs(gradient(FocalLoss(4, 0.1, gamma=gamma), certain)).max() < 1  # also not NaN
    assert np.abs(gradient(FocalLoss(4, gamma=gamma), certain)).max() < 1e-6


def test_the_effective_number_by_hand() -> None:
    """With beta 1/2, one image is one, two are 1.5, and many are 2; between all alike and one over the size."""
    counts = np.array([1, 2, 0, 1000])
    weights = class_weights("effective", counts, 0.5)
    assert weights is not None
    np.testing.assert_allclose(weights / weights[3], [2, 4 / 3, 0, 1], rtol=1e-6)
    assert (weights * counts).sum() == pytest.approx(counts.sum())
    alike, almost, balanced = (
        np.asarray(class_weights(kind, counts, beta))
        for kind, beta in (("effective", 0.0), ("effective", 0.999999), ("balanced", 0.0))
    )
    np.testing.assert_allclose(alike, [1, 1, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(almost, balanced, rtol=1e-3)


def test_logit_adjustment_adds_logarithms_of_shares() -> None:
    """A class without images counts as one with a single image."""
    np.testing.assert_allclose(log_priors(np.array([6, 3, 0]), 2.0), 2 * np.log([0.6, 0.3, 0.1]), rtol=1e-6)


def test_a_loss_that_is_mixed_with_another_takes_them_all() -> None:
    config = MultiGrainTrainConfig(
        loss="focal", class_weights="effective", logit_adjustment=1.0, classification_weight=0.25, label_smooth=False
    )
    cross_entropy = setup.build_loss(config, 4, ALL_LABELS)
    _, mixed = MULTIGRAIN.objective(config, nn.Identity(), cross_entropy, 0)
    vectors = np.eye(3, 5, dtype=np.float32)
    found = float(mixed((Tensor(LOGITS), Tensor(vectors)), Tensor(LABELS)))
    metric = float(mixed.metric_loss(Tensor(vectors), Tensor(np.zeros(3, np.int32))))
    assert found == pytest.approx(0.25 * value(cross_entropy) + 0.75 * metric, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"logit_adjustment": 1.0}, []),
        ({"loss": "focal", "class_weights": "effective"}, []),
        (
            {"class_weights": "effective", "sampling": "balanced"},
            ["class_weights beside balanced sampling: rare classes count twice over"],
        ),
        (
            {"class_weights": "balanced", "logit_adjustment": 1.0, "sampling": "balanced"},
            ["class_weights beside logit_adjustment beside balanced sampling: rare classes count three times over"],
        ),
    ],
    ids=str,
)
def test_what_makes_up_for_rare_classes_twice_is_said(settings: dict[str, Any], said: list[str]) -> None:
    assert setup.twice_over(DenseNetTrainConfig(**settings)) == said
