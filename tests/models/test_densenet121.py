"""DenseNet-121 against reference vectors and the original README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from safetensors.numpy import save_file

from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.models.densenet121.weights import from_torch
from mindzoo.tests.support.networks import assert_parameters, eagerly, undrawn
from mindzoo.tests.support.reference import FILL, Vectors, assert_logits, assert_maps, rows, vectors
from mindzoo.utils.config import reading
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import EpochRecord, EvalResult, Evaluated

SMALL: dict[str, Any] = {"block_config": (1, 1), "growth_rate": 4, "init_features": 8}
# timm 1.0.22: create_model("densenet121", features_only=True) with the weights of the reference: channels, and what
# [float(m.abs().double().mean()) for m in model(images(1, 64))] gives.
TIMM_MAPS = [64, 256, 512, 1024, 1024], [0.3859805, 0.9323429, 0.4601582, 0.2257654, 0.0911667]


def small_weights() -> dict[str, np.ndarray]:
    network = create_model("densenet121", 3, **SMALL)
    return {p.name: FILL["fill"](p.name, p.shape) for p in network.get_parameters()}


def torch_names(weights: dict[str, np.ndarray], *, old: bool = False) -> dict[str, np.ndarray]:
    """Our names -> torchvision's, written out here independently of the code under test."""
    found = {}
    for name, value in weights.items():
        parts = name.replace("head.fc.", "classifier.").removeprefix("backbone.").split(".")
        if "cell_list" in parts:
            at = parts.index("cell_list")
            parts[at : at + 2] = [f"denselayer{int(parts[at + 1]) + 1}"]
            if old:
                parts[at + 1 : at + 2] = [parts[at + 1][:-1], parts[at + 1][-1]]
        if parts[1].startswith("transition"):
            parts.pop(2)
        words = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        found[".".join([*parts[:-1], words.get(parts[-1], parts[-1])])] = value
    return found


@pytest.fixture(scope="module")
def zoo() -> Vectors:
    return vectors("ms_densenet121")


@undrawn()
def test_names_shapes_and_counts_are_those_of_the_zoo(zoo: Vectors) -> None:
    network = create_model("densenet121")
    assert_parameters(network, zoo, tensors=606, trained=364, numbers=7_978_856)
    assert sum(parameter.size for parameter in network.get_parameters()) == 8_062_504


@eagerly()
def test_logits_are_those_of_the_zoo(zoo: Vectors, tmp_path: Path) -> None:
    ms.save_checkpoint(rows(zoo.weights), str(tmp_path / "zoo.ckpt"))
    with undrawn():
        network = create_model("densenet121", checkpoint=tmp_path / "zoo.ckpt")
    assert network.flavour == "zoo"
    assert_logits(network, zoo)


@eagerly()
def test_logits_are_those_of_timm(tmp_path: Path) -> None:
    timm = vectors("pt_timm_densenet121")
    save_file(timm.weights, str(tmp_path / "timm.safetensors"))
    with undrawn():
        network = create_model("densenet121", checkpoint=tmp_path / "timm.safetensors")
    assert network.flavour == "paper"
    assert_logits(network, timm)
    assert_maps(network, *TIMM_MAPS)


@eagerly()
@pytest.mark.parametrize(("flavour", "side"), [("zoo", 224), ("paper", 224), ("zoo", 97), ("paper", 97)])
def test_feature_map_sizes(flavour: str, side: int) -> None:
    network = create_model("densenet121", 3, flavour=flavour, growth_rate=2, block_config=(1,) * 4, init_features=4)
    x, sizes = Tensor(np.zeros((1, 3, side, side), np.float32)), {}
    for name, cell in network.backbone.features.name_cells().items():
        x = cell(x)
        sizes[name.rpartition(".")[2]] = x.shape[2]
    wanted = {224: [112, 56, 28, 14, 7], 97: [49, 25, 12, 6, 3]}[side]
    assert [sizes[name] for name in ("conv0", "pool0", "transition1", "transition2", "transition3")] == wanted
    assert sizes["norm5"] == wanted[-1]


@eagerly()
def test_flavours_share_weights_and_differ_in_logits(tmp_path: Path) -> None:
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    images = Tensor(FILL["images"](2, 64))
    logits = {
        flavour: create_model("densenet121", checkpoint=tmp_path / "x.ckpt", flavour=flavour, **SMALL)(images).asnumpy()
        for flavour in ("zoo", "paper")
    }
    assert np.abs(logits["zoo"] - logits["paper"]).max() > 1e-2


def test_an_unknown_flavour() -> None:
    with pytest.raises(ValueError, match=r"^flavour is 'torch'; wanted one of zoo, paper$"):
        create_model("densenet121", 3, flavour="torch", **SMALL)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("counters", [False, True])
def test_torchvision_keys_of_either_style(tmp_path: Path, old: bool, counters: bool) -> None:
    weights = small_weights()
    content = torch_names(weights, old=old)
    assert ("features.denseblock1.denselayer1.norm.1.weight" in content) is old
    assert "features.transition1.norm.running_var" in content
    if counters:
        content["features.norm0.num_batches_tracked"] = np.array(7)
    save_file(content, str(tmp_path / "x.safetensors"))
    network = create_model("densenet121", checkpoint=tmp_path / "x.safetensors", **SMALL)
    assert network.flavour == "paper"
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("features.conv0.weight", "backbone.features.conv0.weight"),
        ("features.denseblock1.denselayer1.norm1.gamma", "backbone.features.denseblock1.cell_list.0.norm1.gamma"),
        ("features.denseblock1.denselayer1.norm.1.gamma", "backbone.features.denseblock1.cell_list.0.norm1.gamma"),
        ("features.denseblock4.denselayer16.conv.2.weight", "backbone.features.denseblock4.cell_list.15.conv2.weight"),
        ("features.transition3.conv.weight", "backbone.features.transition3.features.conv.weight"),
        ("features.norm5.moving_mean", "backbone.features.norm5.moving_mean"),
        ("classifier.bias", "head.fc.bias"),
        ("fc.weight", None),
    ],
)
def test_structure_names(name: str, wanted: str | None) -> None:
    assert from_torch(name) == wanted


def test_a_training_file_of_the_original_zoo_loads(tmp_path: Path) -> None:
    weights = small_weights()
    trained = {name: value for name, value in weights.items() if not name.endswith(("moving_mean", "moving_variance"))}
    content = {
        **{f"network.{name}": value for name, value in weights.items()},
        **{f"moments.{name}": np.zeros_like(value) for name, value in trained.items()},
        "momentum": np.float32(0.9),
        "learning_rate": np.zeros(5, np.float32),
        "global_step": np.array([5], np.int32),
    }
    ms.save_checkpoint(rows(content), str(tmp_path / "0-120_500.ckpt"))
    network = create_model("densenet121", checkpoint=tmp_path / "0-120_500.ckpt", **SMALL)
    assert network.flavour == "zoo"
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


def test_a_file_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    weights = small_weights()
    weights.pop("backbone.features.norm5.beta")
    ms.save_checkpoint(rows(weights), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"1 missing \(backbone\.features\.norm5\.beta\)$"):
        create_model("densenet121", checkpoint=tmp_path / "x.ckpt", **SMALL)


def test_the_epoch_line() -> None:
    record = EpochRecord(
        epoch=0, epochs=120, step=5004, epoch_step=5004, steps_per_epoch=5004, steps_in_epoch=5004, loss=4.36701, mean_loss=5.5, lr=0.1, seconds=9.0,
        images_per_second=6301.114,
    )  # fmt: skip
    assert list(SPEC.lines.epoch(record)) == ["epoch[0], iter[5003], loss:4.367, mean_fps:6301.11 imgs/sec"]


def test_the_evaluation_lines() -> None:
    result = EvalResult(top1=37657, top5=46224, total=49920, loss=1.0)
    assert list(SPEC.lines.evaluation(Evaluated(result))) == [
        "after allreduce eval: top1_correct=37657, tot=49920, acc=75.43%",
        "after allreduce eval: top5_correct=46224, tot=49920, acc=92.60%",
    ]


def test_the_name_of_a_checkpoint() -> None:
    assert SPEC.lines.checkpoint(None, 0, 120, 500) == "0-120_500.ckpt"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["--max_epoch", "4"], [0.1, 0.0853553391, 0.05, 0.0146446609]),
        (["--max_epoch", "4", "--T_max", "2"], [0.1, 0.05, 0.0, 0.05]),
        (["--max_epoch", "4", "--eta_min", "0.02"], [0.1, 0.0882842712, 0.06, 0.0317157288]),
        (["--max_epoch", "4", "--lr_scheduler", "exponential", "--lr_epochs", "1,3"], [0.1, 0.01, 0.01, 0.001]),
        (
            ["--max_epoch", "3", "--lr_scheduler", "exponential", "--lr_epochs", "2", "--lr_gamma", "0.5", "--lr", "1"],
            [1.0, 1.0, 0.5],
        ),
    ],
)
def test_learning_rates(flags: list[str], wanted: list[float]) -> None:
    settings = reading.read_config(DenseNetTrainConfig, flags).config
    found = SPEC.learning_rates(settings, 2)
    np.testing.assert_allclose(found, np.repeat(wanted, 2), rtol=2e-6, atol=1e-9)


def test_learning_rates_with_a_warmup() -> None:
    settings = reading.read_config(DenseNetTrainConfig, ["--max_epoch", "3", "--warmup_epochs", "1"]).config
    wanted = [0.05, 0.1, 0.075, 0.075, 0.025, 0.025]
    np.testing.assert_allclose(SPEC.learning_rates(settings, 2), wanted, rtol=2e-6)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("data_dir", ""),
        ("image_size", (224, 224)),
        ("batch_size", 256),
        ("pretrained", ""),
        ("lr_scheduler", "cosine_annealing"),
        ("lr", 0.1),
        ("lr_epochs", (30, 60, 90, 120)),
        ("lr_gamma", 0.1),
        ("eta_min", 0.0),
        ("T_max", 0),  # max_epoch, which is the seed's 120
        ("max_epoch", 120),
        ("warmup_epochs", 0),
        ("weight_decay", 1e-4),
        ("momentum", 0.9),
        ("label_smooth", False),
        ("label_smooth_factor", 0.1),
        ("log_interval", 100),
        ("ckpt_interval", 50000),
        ("is_save_on_master", True),
        ("is_distributed", True),
        ("rank", 0),
        ("group_size", 1),
        ("is_dynamic_loss_scale", False),
        ("loss_scale", 1024.0),
        ("optimizer", "momentum"),
        ("color_jitter", (0.4, 0.4, 0.4)),
        ("crop_scale", (0.08, 1.0)),
        ("crop_ratio", (0.75, 1.333)),
        ("flip_prob", 0.5),
        ("flavour", "zoo"),
        ("block_config", (6, 12, 24, 16)),
        ("growth_rate", 32),
        ("init_features", 64),
    ],
)
def test_defaults_are_those_of_the_original_readme(name: str, wanted: object) -> None:
    assert getattr(DenseNetTrainConfig(), name) == wanted


def test_spellings_of_the_original_readme() -> None:
    flags = ["--Data_dir", "d", "--per_batch_size", "8", "--ckpt_path", "o", "--pretrained", "p", "--image_size", "9,8"]
    settings = reading.read_config(DenseNetTrainConfig, flags, aliases=SPEC.train_aliases).config
    assert (settings.data_dir, settings.batch_size, settings.output_dir) == ("d", 8, "o")
    assert (settings.pretrained, settings.image_size) == ("p", (9, 8))


def test_options_are_read_off_the_weights() -> None:
    assert SPEC.options_of(small_weights()) == SMALL
    assert SPEC.options_of({"conv1.weight": np.zeros((4, 3, 3, 3))}) is None
    assert SPEC.options_of({}) is None
