"""What each key of the losses changes."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models.multigrain.keys import MultiGrainTrainConfig
from mindzoo.tests.models.test_keys_multigrain import SPEC, built, parsed, said
from mindzoo.tests.support.keys import LABELS, LOGITS, cross_entropy
from mindzoo.utils.config.no_effect import without_effect
from mindzoo.utils.errors import UserError
from mindzoo.utils.training import setup


def objective(*flags: str, rank: int = 0) -> tuple[nn.Cell, nn.Cell]:
    """What the training computes, and its loss."""
    settings = parsed(*flags).config
    return SPEC.objective(settings, built(), setup.build_loss(settings, 3, LABELS), rank)


def mixed(*flags: str) -> float:
    """The loss of two copies each of two images: the copies are 0.5 apart, the images at least 1."""
    embeddings = np.array([[0, 0], [0, 0.5], [1, 0], [1, 0.5]], np.float32)
    logits, labels = np.repeat(LOGITS, 2, 0), np.repeat(LABELS, 2)
    _, loss = objective("--batch_size", "4", "--repeats", "2", *flags)
    return float(loss((Tensor(logits), Tensor(embeddings)), Tensor(labels)))


def test_classification_weight_and_the_margin_of_the_triplet_loss() -> None:
    metric = 0.75 + 0.5 - 1
    assert mixed("--classification_weight", "0", "--triplet_margin", "0.75") == pytest.approx(metric, abs=1e-5)
    found = mixed("--classification_weight", "0.25", "--triplet_margin", "0.75")
    assert found == pytest.approx(0.25 * cross_entropy(0.1) + 0.75 * metric, rel=1e-5)
    network, loss = built(), nn.Cell()
    assert SPEC.objective(parsed("--classification_weight", "1").config, network, loss, 0) == (network, loss)


def test_metric_loss_and_the_keys_of_the_margin_loss() -> None:
    """Copies 0.5 apart and a boundary at 0.25: 0.1 + 0.5 - 0.25 too far, and all other images beyond it."""
    flags = ["--metric_loss", "margin", "--margin_alpha", "0.1", "--margin_beta", "0.25"]
    assert mixed(*flags, "--classification_weight", "0") == pytest.approx(0.35, abs=1e-5)
    (boundary,) = objective(*flags)[1].trainable_params()
    assert (boundary.name, float(boundary)) == ("metric_loss.beta", 0.25)
    assert objective()[1].trainable_params() == []
    lines = said("--margin_alpha", "0.1", "--margin_beta", "0.25")
    assert [line.split(",")[0] for line in lines] == [
        f"{name} has no effect: metric_loss is triplet" for name in ("margin_alpha", "margin_beta")
    ]


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--classification_weight", "0", "--loss", "focal", "--drop_rate", "0.2"], ["loss", "drop_rate"]),
        (
            ["--classification_weight", "0", "--class_weights", "effective", "--logit_adjustment", "1"],
            ["class_weights", "logit_adjustment"],
        ),
        (["--classification_weight", "0", "--label_smooth", "false"], []),
        (["--classification_weight", "1", "--triplet_margin", "0.1"], ["triplet_margin"]),
        (["--triplet_margin", "0.1", "--loss", "focal"], []),
    ],
)
def test_a_loss_without_weight_leaves_its_keys_without_effect(flags: list[str], names: list[str]) -> None:
    lines = without_effect(parsed(*flags))
    assert [line.split(" has no effect: classification_weight is")[0] for line in lines] == names


def test_ranks_and_seeds_draw_other_images() -> None:
    """The number that the drawing starts from."""
    margin = ["--metric_loss", "margin"]
    losses = [objective(*margin, *flags, rank=rank)[1] for flags in ([], ["--seed", "2"]) for rank in (0, 1)]
    assert len({int(loss.metric_loss.sampler.uniform.numbers.start) for loss in losses}) == 4


def test_mixed_images_are_no_copies_to_compare() -> None:
    assert MultiGrainTrainConfig(mixup=0.2, mixup_prob=0.0).classification_weight == 0.5
    assert MultiGrainTrainConfig(mixup=0.2, classification_weight=1.0).mixes
    with pytest.raises(UserError, match=r"^mixup 0\.2 and cutmix 1: the metric loss compares copies of one image"):
        MultiGrainTrainConfig(mixup=0.2, cutmix=1.0)
