"""What holds for every network of the zoo."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models import SPECS, create_model, get_spec, list_models
from mindzoo.tests.support.networks import eagerly, shapes_of, undrawn, weights_of
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import CHECKPOINT_ALIASES, TRAIN_ALIASES, TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import optimizers, rate_factors
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.train_step import TrainStep

NETWORKS = list_models()


def options(name: str) -> dict[str, Any]:
    """The options of the small variant."""
    return get_spec(name).network_options(settings(name))


def structure(name: str) -> dict[str, Any]:
    """The same without the options that are values of parameters."""
    return {option: value for option, value in options(name).items() if option not in get_spec(name).parameter_options}


def settings(name: str) -> TrainConfig:
    return reading.read_config(get_spec(name).train_config, tiny(name)).config


def images(name: str, batch: int = 2) -> Tensor:
    size = settings(name).image_size
    return Tensor(np.random.default_rng(1).standard_normal((batch, 3, *size)).astype(np.float32))


def filled(network: nn.Cell) -> nn.Cell:
    """Weights that no network begins with: mixing up batch norm's statistics is seen, and so is every image."""
    noise = np.random.default_rng(2)
    for parameter in network.get_parameters():
        positive = ("moving_mean", "moving_variance", "gamma", "beta")
        if parameter.name.endswith(positive) or not parameter.shape:
            value = noise.uniform(0.5, 1.5, parameter.shape)
        else:
            value = noise.standard_normal(parameter.shape) / np.sqrt(np.prod(parameter.shape[1:]))
        parameter.set_data(Tensor(value.astype(np.float32)))
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_embed_and_classifier(name: str) -> None:
    network = filled(create_model(name, 3, **options(name)))
    assert not network.training
    logits = network(images(name))
    assert (logits.shape, logits.dtype) == ((2, 3), ms.float32)
    with eagerly():
        np.testing.assert_allclose(network(images(name)).asnumpy(), logits.asnumpy(), rtol=0, atol=1e-5)
        assert_embedding_is_what_the_classifier_sees(name, network, logits)
    assert np.abs(logits.asnumpy()[0] - logits.asnumpy()[1]).max() > 1e-4


def assert_embedding_is_what_the_classifier_sees(name: str, network: nn.Cell, logits: Tensor) -> None:
    embedding = network.embed(images(name))
    assert embedding.dtype == ms.float32
    assert embedding.ndim == 2
    classifier = reduce(getattr, get_spec(name).classifier.split("."), network)
    assert embedding.shape == (2, classifier.in_channels)
    lengths = np.linalg.norm(embedding.asnumpy(), axis=1)
    if hasattr(network, "pooled"):  # what the classifier sees, before its length is made 1
        np.testing.assert_allclose(lengths, 1, rtol=1e-4)
        embedding = network.pooled(images(name))
    np.testing.assert_allclose(classifier(embedding).asnumpy(), logits.asnumpy(), rtol=0, atol=1e-5)


# Of the five training graphs GENet's takes longest to compile.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "genet_res50")) for name in NETWORKS]
)
def test_a_few_steps_lower_the_loss(name: str) -> None:
    ms.set_seed(1)
    network = get_spec(name).build(3, **options(name))
    optimizer = optimizers.create("momentum", network, np.full(12, 0.05), momentum=0.9, weight_decay=1e-4)
    before = weights_of(network)
    step = TrainStep(network, SmoothedCrossEntropy(3, 0.1), optimizer)
    step.set_train()
    batch, labels = images(name, 6), Tensor(np.array([0, 1, 2, 0, 1, 2], np.int32))
    losses = [float(step(batch, labels)) for _ in range(12)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]
    same = {parameter for parameter, value in weights_of(network).items() if np.array_equal(value, before[parameter])}
    assert same <= without_gradient(before)


def without_gradient(names: Collection[str]) -> set[str]:
    """Biases that a batch norm takes out again: rounding alone moves them, and on some versions it does not."""
    numbered = [re.fullmatch(r"(.+)\.(\d+)\.bias", name) for name in names]
    return {bias[0] for bias in numbered if bias and f"{bias[1]}.{int(bias[2]) + 1}.moving_mean" in names}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_of_ours_makes_the_same_network(name: str, tmp_path: Path) -> None:
    network = filled(create_model(name, 3, **options(name)))
    meta = {"network": name, "num_classes": 3, "options": options(name), "classes": ["a", "b", "c"]}
    checkpoint_file.save_checkpoint(tmp_path / "x.ckpt", network.parameters_dict(), meta)
    again = create_model(name, checkpoint=tmp_path / "x.ckpt")
    assert not again.training
    assert_equal_networks(again, network)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_plain_checkpoint_makes_the_same_network(name: str, tmp_path: Path) -> None:
    network = filled(create_model(name, 3, **options(name)))
    ms.save_checkpoint(network, str(tmp_path / "x.ckpt"))
    assert_equal_networks(create_model(name, checkpoint=tmp_path / "x.ckpt", **structure(name)), network)


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name in NETWORKS for option in get_spec(name).parameter_options]
)
def test_an_option_that_is_a_parameter_may_be_given_or_missing(name: str, option: str, tmp_path: Path) -> None:
    network, parameter = filled(create_model(name, 3, **options(name))), get_spec(name).parameter_options[option]
    ms.save_checkpoint(network, str(tmp_path / "with.ckpt"))
    rest = [{"name": p.name, "data": p} for p in network.get_parameters() if p.name != parameter]
    ms.save_checkpoint(rest, str(tmp_path / "without.ckpt"))
    recorded = float(weights_of(network)[parameter])
    cases: list[tuple[str, dict[str, Any], float]] = [
        ("with.ckpt", {}, recorded),
        ("with.ckpt", {option: 2.5}, 2.5),
        ("without.ckpt", {option: 2.5}, 2.5),
        ("without.ckpt", {}, options(name)[option]),
    ]
    for file, more, wanted in cases:
        found = weights_of(create_model(name, checkpoint=tmp_path / file, **structure(name), **more))
        assert found.pop(parameter) == wanted
        assert all(np.array_equal(value, weights_of(network)[key]) for key, value in found.items())


def assert_equal_networks(found: nn.Cell, wanted: nn.Cell) -> None:
    before, after = weights_of(wanted), weights_of(found)
    assert list(after) == list(before)
    for parameter, value in before.items():
        np.testing.assert_array_equal(after[parameter], value, err_msg=parameter)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_with_other_classes_is_refused(name: str, tmp_path: Path) -> None:
    network = create_model(name, 3, **options(name))
    ms.save_checkpoint(network, str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError) as caught:
        create_model(name, 4, tmp_path / "x.ckpt", **options(name))
    assert (
        str(caught.value)
        == f"{tmp_path / 'x.ckpt'} has 3 classes; wanted 4: give --num_classes 3, a checkpoint of 4 classes, or replace_head "
        "for a new classifier"
    )


def test_list_models() -> None:
    assert list_models() == sorted(SPECS)
    assert list_models("dense*") == [name for name in NETWORKS if name.startswith("dense")]
    assert list_models("no such*") == []


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_name_is_answered_with_the_nearest(name: str) -> None:
    wrong = name[:-1] + "_"
    with pytest.raises(ValueError, match=rf"^unknown network {wrong}\b.*did you mean {name}\?.*there are .*{name}"):
        create_model(wrong)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="no_such_option"):
        create_model(name, 3, no_such_option=1)


def test_the_shared_code_names_no_network() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "utils").rglob("*.py"))
        for name in NETWORKS
        if name in path.read_text(encoding="utf-8").lower()
    ]
    assert found == []
    assert len(list((ROOT / "utils").rglob("*.py"))) > 20


def test_the_descriptions_of_the_networks_need_no_mindspore() -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "from mindzoo.models import list_models\n"
        "print(*list_models(), *(name for name in sys.modules if name.startswith('mindspore')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_the_description_fits_its_own_parts(name: str) -> None:
    spec = get_spec(name)
    assert spec.name == name
    assert spec.paper.startswith("https://")
    assert spec.folder == ROOT / "models" / name
    assert spec.recipes.is_dir()
    assert spec.checkpoint_url_key in {field.name for field in fields(spec.train_config)}
    assert set(spec.init_options) <= {field.name for field in fields(spec.train_config)}
    assert set(spec.parameter_options) <= set(spec.options)
    assert {"top1"} <= set(spec.published) <= {"top1", "top5"}
    for entry in ("train", "eval", "export"):
        assert (spec.folder / f"{entry}.py").is_file()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["train", "eval", "export"])
def test_aliases_point_at_keys_and_hide_none(name: str, kind: str) -> None:
    spec = get_spec(name)
    known = {field.name for field in fields(getattr(spec, f"{kind}_config"))}
    own = getattr(spec, f"{kind}_aliases")
    plain = {word: meant for word, meant in own.items() if isinstance(meant, str)}
    assert set(plain.values()) <= known
    assert {key for word, meant in own.items() if word not in plain for key in meant.keys} <= known
    shared = TRAIN_ALIASES if kind == "train" else CHECKPOINT_ALIASES
    assert not {word for word in {**shared, **plain} if word in known}
    assert not {word for word in own if word in shared and own[word] != shared[word]}


@pytest.mark.parametrize("name", NETWORKS)
def test_options_are_keys_of_every_configuration(name: str) -> None:
    spec = get_spec(name)
    for kind in (spec.train_config, spec.eval_config, spec.export_config):
        assert set(spec.options) <= {field.name for field in fields(kind)}
        assert spec.network_options(kind()) == spec.network_options(spec.train_config())


@undrawn()
@pytest.mark.parametrize("name", NETWORKS)
def test_each_option_is_an_argument_of_the_network_and_its_default_the_same(name: str) -> None:
    spec, small = get_spec(name), options(name)
    for option in spec.options:
        spec.build(2, **{**small, option: small[option]})
    by_default, configured = (spec.build(7, **more) for more in ({}, spec.network_options(spec.train_config())))
    assert list(shapes_of(by_default).items()) == list(shapes_of(configured).items())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_name_of_a_checkpoint_can_be_read_back(name: str) -> None:
    lines = get_spec(name).lines
    found = re.fullmatch(lines.checkpoint_pattern, lines.checkpoint(get_spec(name).train_config(), 0, 12, 345))
    assert found is not None
    assert (int(found["epoch"]), int(found["step"])) == (12, 345)


@pytest.mark.parametrize("name", NETWORKS)
@undrawn()
def test_rates_that_fall_by_depth_rise_from_the_first_layer_to_the_head(name: str) -> None:
    spec = get_spec(name)
    names = list(shapes_of(spec.build(2, **spec.network_options(spec.train_config()))))
    factors = rate_factors.by_depth(0.5, spec.stages, names)
    found = [factors[parameter] for parameter in names]
    assert factors[names[0]] == 0.5 ** len(spec.stages)
    assert factors[f"{spec.classifier}.weight"] == 1
    assert set(found) == {0.5**depth for depth in range(len(spec.stages) + 1)}
    assert found == sorted(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_schedule_has_one_rate_per_step(name: str) -> None:
    spec = get_spec(name)
    rates = spec.learning_rates(reading.make(spec.train_config, {"max_epoch": 5, "lr": 0.2}), 3)
    assert rates.shape == (15,)
    assert rates.dtype == np.float32
    assert rates.max() <= np.float32(0.2)
    assert (rates >= 0).all()
