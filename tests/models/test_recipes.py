"""Every shipped recipe is read by its network and says where it comes from."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from mindspore import nn

from mindzoo.models import get_spec
from mindzoo.tests.support.networks import undrawn
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES, TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.learning import freeze
from mindzoo.utils.spec import ModelSpec

RECIPES = sorted((ROOT / "models").glob("*/config/*.yaml"))
pytestmark = pytest.mark.parametrize("path", RECIPES, ids=[f"{p.parts[-3]}-{p.stem}" for p in RECIPES])


def load(path: Path) -> Loaded[TrainConfig]:
    spec = get_spec(path.parts[-3])
    aliases = {**TRAIN_ALIASES, **spec.train_aliases}
    return reading.read_config(spec.train_config, ["--config_path", path.name], aliases=aliases, recipes=spec.recipes)


def test_it_is_found_by_its_name_and_parses(path: Path) -> None:
    loaded = load(path)
    assert isinstance(loaded.config, get_spec(path.parts[-3]).train_config)
    assert len(loaded.given) > 1
    assert loaded.notes() == []


def test_it_opens_with_what_it_reproduces_and_how(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = [line for number, line in enumerate(lines) if all(above.startswith("#") for above in lines[: number + 1])]
    assert any(line.startswith("# Reproduces: ") and line[14:].strip() for line in comment)
    assert any(line.startswith("# Command: ") and line[11:].strip() for line in comment)


def test_its_command_names_a_file_that_exists(path: Path) -> None:
    text = "".join(line for line in path.read_text(encoding="utf-8").splitlines(True) if line.startswith("#"))
    files = [word for word in text.split() if word.endswith((".py", ".sh")) and "/" in word]
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_no_key_is_set_to_its_own_default(path: Path) -> None:
    loaded = load(path)
    defaults = type(loaded.config)()
    given = loaded.given - {"config_path"}
    assert [name for name in sorted(given) if getattr(loaded.config, name) == getattr(defaults, name)] == []
    assert given <= {spec.name for spec in fields(defaults)}


@undrawn()
def test_the_network_builds_from_it(path: Path) -> None:
    spec, settings = get_spec(path.parts[-3]), load(path).config
    network = spec.build(settings.num_classes or 10, **spec.network_options(settings))
    bias = {parameter.name: parameter for parameter in network.get_parameters()}[f"{spec.classifier}.bias"]
    assert bias.shape == (settings.num_classes or 10,)
    rates = spec.learning_rates(settings, 2)
    assert rates.shape == (2 * settings.max_epoch,)
    if path.stem == "fixres":
        assert_last_layers_alone_are_trained(spec, network, settings)


def assert_last_layers_alone_are_trained(spec: ModelSpec, network: nn.Cell, settings: TrainConfig) -> None:
    """The classifier, and the one batch norm that still looks at the batch: the last."""
    freeze.freeze(network, settings.freeze)
    norms = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    (last,) = [norm for norm in norms if norm.use_batch_statistics is None]
    wanted = {f"{spec.classifier}.weight", f"{spec.classifier}.bias", last.gamma.name, last.beta.name}
    assert {parameter.name for parameter in network.trainable_params()} == wanted
    assert last is norms[-1]
    assert last.gamma.size == network.map_channels[-1] or spec.name == "hrnet_w48"
