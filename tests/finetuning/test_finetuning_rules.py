"""What is chosen for how many images, on what machine, from what weights: a table, and what must hold everywhere."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest

from mindzoo.models import SPECS, get_spec
from mindzoo.scripts.dev.compare_networks import COSTS
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.finetuning import rules
from mindzoo.utils.finetuning.rules import Facts
from mindzoo.utils.spec import ModelSpec

STAGES = (("stem.*", "layer1.*"), ("layer2.*",), ("layer3.*",))
# Ten classes of large pictures without a val/, and weights of ImageNet for a network as large as a ResNet-50.
USUAL = Facts(
    images=500,
    classes=10,
    has_validation=False,
    side=400,
    on_cpu=True,
    cores=8,
    memory_gb=32,
    weights="w.ckpt",
    weights_classes=1000,
    stages=STAGES,
    multiply_adds=4.1e9,
    activations=22e6,
)
ONE_CORE: dict[str, Any] = {"cores": 1}
CARD: dict[str, Any] = {"on_cpu": False}
ALL = ("stem.*", "layer1.*", "layer2.*", "layer3.*")


def of_network(spec: ModelSpec, **changes: Any) -> Facts:
    found = spec.finetuning
    own = {
        "stages": found.stages,
        "keys": found.keys,
        "multiply_adds": found.multiply_adds,
        "activations": found.activations,
    }
    sizes = {"fixed_side": "image_size" in spec.options, "least_side": spec.least_size}
    return dataclasses.replace(USUAL, multiple=spec.train_config().repeats, **{**own, **sizes, **changes})


@pytest.mark.parametrize(
    ("images", "machine", "batch", "epochs", "side", "split", "freeze", "rate"),
    [
        (50, {}, 8, 50, 224, 0.2, ALL, 0.002),
        (50, ONE_CORE, 8, 50, 224, 0.2, ALL, 0.002),
        (50, CARD, 8, 50, 224, 0.2, ALL, 0.002),
        (500, {}, 32, 50, 224, 0.2, ALL[:2], 0.008),
        (500, ONE_CORE, 32, 50, 224, 0.2, ALL[:2], 0.008),
        (500, CARD, 32, 50, 224, 0.2, ALL[:2], 0.008),
        (5000, {}, 32, 10, 224, 0.2, None, 0.008),
        (5000, ONE_CORE, 32, 10, 160, 0.2, None, 0.008),
        (5000, CARD, 64, 17, 224, 0.2, None, 0.016),
        (50000, {}, 32, 10, 128, 0.1, None, 0.008),
        (50000, ONE_CORE, 32, 10, 64, 0.1, None, 0.008),
        (50000, CARD, 64, 10, 224, 0.1, None, 0.016),
        # Memory for 4 images of 88 MB each beside as much for the rest: less than batch norm should have.
        (5000, {"memory_gb": 0.8}, 8, 10, 224, 0.2, None, 0.002),
        (5000, {"memory_gb": 4}, 16, 10, 224, 0.2, None, 0.004),
        # Eight cards.
        (5000, {**CARD, "ranks": 8}, 32, 50, 224, 0.2, None, 0.064),
        # Small pictures, and tiny ones.
        (500, {"side": 100}, 32, 50, 128, 0.2, ALL[:2], 0.008),
        (500, {"side": 28}, 32, 50, 64, 0.2, ALL[:2], 0.008),
        # Weights for larger images, for tiny ones, of few classes, for one size, none.
        (500, {"weights_side": 320}, 32, 50, 320, 0.2, ALL[:2], 0.008),
        (500, {"weights_side": 32, "weights_classes": 10}, 32, 50, 96, 0.2, None, 0.0014),
        (500, {"weights_side": 32, "weights_classes": 10, "same_classes": True}, 32, 50, 224, 0.2, None, 0.008),
        (500, {"weights_side": 96, "fixed_side": True}, 32, 50, 96, 0.2, ALL[:2], 0.008),
        (500, {"weights": "", "weights_classes": 0}, 32, 120, 64, 0.2, None, 0.0014),
        (500, {"weights": "", "weights_classes": 0, **CARD}, 32, 120, 224, 0.2, None, 0.0014),
        # Each picture three times in a batch.
        (50, {"multiple": 3}, 12, 50, 224, 0.2, ALL, 0.003),
        (500, {"multiple": 3}, 30, 50, 224, 0.2, ALL[:2], 0.0075),
        # Fewer pictures than a batch should have; and a class each.
        (5, {"classes": 2}, 4, 50, 224, 0.2, ALL, 0.001),
        (10, {}, 8, 50, 224, None, ALL, 0.002),
        (500, {"has_validation": True}, 32, 50, 224, None, ALL[:2], 0.008),
    ],
)
def test_what_is_chosen(
    images: int,
    machine: dict[str, Any],
    batch: int,
    epochs: int,
    side: int,
    split: float | None,
    freeze: tuple[str, ...] | None,
    rate: float,
) -> None:
    found = rules.choose(dataclasses.replace(USUAL, images=images, **machine), {}).values
    assert (found["batch_size"], found["max_epoch"], found["image_size"]) == (batch, epochs, (side, side))
    assert (found.get("val_split"), found.get("freeze"), found["lr"]) == (split, freeze, rate)


@pytest.mark.parametrize("name", SPECS)
def test_everything_is_a_configuration_that_trains(name: str) -> None:
    """For each network, number of images and machine: the keys are its own, and an epoch has a step."""
    spec = get_spec(name)
    for images, machine, weights in itertools.product((10, 50, 500, 5000, 50000), ({}, ONE_CORE, CARD), ("w.ckpt", "")):
        facts = of_network(spec, images=images, weights=weights, **machine)
        found = rules.choose(facts, {})
        config = reading.make(spec.train_config, found.values)
        kept = images * (1 - config.val_split)
        assert kept // config.batch_size >= 1
        assert config.warmup_epochs < config.max_epoch
        spec.check_image_size(config.image_size)
        assert spec.learning_rates(config, 2).shape == (2 * config.max_epoch,)
        assert config.replace_head is bool(weights)
        assert len(found.reasons) == 5
        assert not any("\n" in reason for reason in found.reasons)


@pytest.mark.parametrize("name", SPECS)
def test_what_a_network_says_of_itself(name: str) -> None:
    """Multiply-adds are those that `mindzoo info` counted."""
    counted = json.loads(COSTS.read_text(encoding="utf-8"))[name]["multiply_adds"]
    assert get_spec(name).finetuning.multiply_adds == pytest.approx(counted, rel=1e-3)
    assert len(get_spec(name).finetuning.stages) == 3


def test_what_is_given_wins_and_the_rest_fits() -> None:
    given = {"batch_size": 16, "max_epoch": 3, "freeze": ("x.*",), "image_size": (96, 96), "val_split": 0.5}
    found = rules.choose(USUAL, given)
    assert not set(given) & set(found.values)
    assert found.values["lr"] == 0.004
    assert found.values["warmup_epochs"] == 0
    assert found.reasons == (
        "data: 500 images of 10 classes; there is no val/, so about 250 are held out (val_split 0.5)",
        "start: w.ckpt, with a new classifier, 1000 classes become 10; frozen are x.*, as given",
        "size: images of 96,96: as given",
        "length: batches of 16, 3 epochs of 15 updates: 45 in all",
        "rate: 0.004 for 16 images an update and beginning from weights, warm-up of 0 epochs, momentum; labels smoothed",
    )


@pytest.mark.parametrize(("weights", "side"), [("w.ckpt", 224), ("", 64)])
def test_with_fewer_epochs_images_are_larger_only_where_weights_know_something(weights: str, side: int) -> None:
    facts = dataclasses.replace(USUAL, images=20_000, weights=weights, cores=1)
    assert rules.choose(facts, {}).values["image_size"] == (64, 64)
    assert rules.choose(facts, {"max_epoch": 1}).values["image_size"] == (side, side)


def test_what_random_weights_cost_is_said() -> None:
    found = rules.choose(dataclasses.replace(USUAL, weights="", has_validation=True), {})
    assert "random weights, since --pretrained is not given: that takes many more images and epochs" in found.reasons[1]
    assert not {"replace_head", "freeze", "val_split"} & set(found.values)


def test_the_classifier_stays_where_it_knows_the_classes() -> None:
    facts = dataclasses.replace(USUAL, same_classes=True, weights_classes=10)
    assert "replace_head" not in rules.choose(facts, {}).values


@pytest.mark.parametrize(
    ("weights", "given", "optimizer", "rate"),
    [
        ({}, {}, "momentum", 0.008),
        ({}, {"optimizer": "adamw"}, None, 0.00014),
        ({"weights_classes": 10}, {}, "adamw", 0.0014),
        ({"weights": ""}, {"batch_size": 64}, "adamw", 0.002),
        ({"weights": ""}, {"optimizer": "momentum"}, None, 0.013),
    ],
)
def test_where_little_is_known_adamw_and_averaged_weights_are_chosen(
    weights: dict[str, Any], given: dict[str, Any], optimizer: str | None, rate: float
) -> None:
    found = rules.choose(dataclasses.replace(USUAL, **weights), given).values
    assert (found.get("optimizer"), found["lr"]) == (optimizer, rate)
    assert {"weight_decay", "ema_decay", "ema_warmup"} & set(found) == (
        {"weight_decay", "ema_decay", "ema_warmup"} if optimizer == "adamw" else set()
    )


def test_few_classes_are_not_smoothed() -> None:
    assert [rules.choose(dataclasses.replace(USUAL, classes=n), {}).values["label_smooth"] for n in (1, 4, 5)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("name", SPECS)
def test_the_small_recipe_is_what_is_chosen_for_500_images_on_a_card(name: str) -> None:
    """Without the values that are the network's own defaults."""
    spec = get_spec(name)
    loaded = reading.read_config(
        spec.train_config,
        ["--config_path", "finetune_small"],
        aliases={**TRAIN_ALIASES, **spec.train_aliases},
        recipes=spec.recipes,
    )
    own = spec.train_config()
    chosen = rules.choose(of_network(spec, **CARD), {}).values
    assert {name: getattr(loaded.config, name) for name in loaded.given - {"config_path"}} == {
        name: value for name, value in chosen.items() if value != getattr(own, name)
    }
