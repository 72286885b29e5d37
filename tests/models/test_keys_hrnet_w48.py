"""Every key of the original README's list has an effect that can be seen, or a line that says why it has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mindzoo.models.hrnet_w48.keys import HRNetEvalConfig
from mindzoo.tests.support.keys import Keys, Run
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils import commands, storage
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.errors import UserError
from mindzoo.utils.training import setup

# The list of the original README, in its order.
TABLE = [
    "train_url",
    "train_path",
    "data_url",
    "data_path",
    "checkpoint_url",
    "checkpoint_path",
    "eval_data_url",
    "eval_data_path",
    "eval_interval",
    "modelarts",
    "run_distribute",
    "device_target",
    "begin_epoch",
    "end_epoch",
    "total_epoch",
    "dataset",
    "num_classes",
    "batchsize",
    "input_size",
    "lr_scheme",
    "lr",
    "lr_init",
    "lr_end",
    "warmup_epochs",
    "use_label_smooth",
    "label_smooth_factor",
    "conv_init",
    "dense_init",
    "optimizer",
    "loss_scale",
    "opt_momentum",
    "wd",
    "eps",
    "save_ckpt",
    "save_checkpoint_epochs",
    "keep_checkpoint_max",
    "model",
]
# By our names. The number of classes is that of the class folders, and the device what is there, unless they are given.
DEFAULTS = {
    "eval_interval": 10,
    "modelarts": False,
    "is_distributed": False,
    "begin_epoch": 0,
    "max_epoch": 120,
    "dataset": "imagenet",
    "batch_size": 16,
    "image_size": (224, 224),
    "lr_scheme": "linear",
    "lr": 0.01,
    "lr_init": 0.0001,
    "lr_end": 0.00001,
    "warmup_epochs": 2,
    "label_smooth": True,
    "label_smooth_factor": 0.1,
    "conv_init": "TruncatedNormal",
    "dense_init": "RandomNormal",
    "optimizer": "rmsprop",
    "loss_scale": 1024,
    "momentum": 0.9,
    "weight_decay": 1e-5,
    "eps": 0.001,
    "save_checkpoint": True,
    "save_checkpoint_epochs": 1,
    "keep_checkpoint_max": 10,
    "width": 48,
    "modules": (1, 4, 3),
    "blocks": 4,
    "resize_mode": "shorter",
}
# What the original's reading.py has as `model`, for a network of width 18.
STAGES: dict[str, dict[str, Any]] = {
    "STAGE1": {"NUM_MODULES": 1, "NUM_BRANCHES": 1, "BLOCK": "BOTTLENECK", "NUM_BLOCKS": [4], "NUM_CHANNELS": [64]},
    "STAGE2": {"NUM_MODULES": 1, "NUM_BRANCHES": 2, "BLOCK": "BASIC", "NUM_BLOCKS": [4] * 2, "NUM_CHANNELS": [18, 36]},
    "STAGE3": {"NUM_MODULES": 4, "BLOCK": "BASIC", "NUM_BLOCKS": [4] * 3, "NUM_CHANNELS": [18, 36, 72]},
    "STAGE4": {"NUM_MODULES": 3, "BLOCK": "BASIC", "NUM_BLOCKS": [4] * 4, "NUM_CHANNELS": [18, 36, 72, 144]},
}
KEYS = Keys("hrnet_w48")
parsed, rates, said, shows = KEYS.parsed, KEYS.rates, KEYS.said, KEYS.shows
DONE = np.arange(16) / 16
NO_WARMUP = ["--warmup_epochs", "0"]


@pytest.fixture(scope="module")
def plain(colors: Path, shared: Path) -> Run:
    """The run that the others are compared with."""
    return KEYS.train_once(shared / "hrnet_w48_plain", colors / "train")


def test_defaults_are_those_of_the_list() -> None:
    settings = dataclasses.asdict(parsed().config)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.slow
@shows("train_path", "dataset", "num_classes", "batchsize", "total_epoch", "save_checkpoint_epochs")
@shows("keep_checkpoint_max", "eval_data_path", "eval_interval", "input_size")
def test_a_run_of_seven_epochs(colors: Path, tmp_path: Path, plain: Run) -> None:
    where = ["--train_path", str(tmp_path / "here"), "--eval_data_path", str(colors / "val"), "--eval_interval", "3"]
    what = ["--dataset", "colors", "--num_classes", "7", "--batchsize", "12", "--input_size", "48"]
    when = ["--total_epoch", "7", "--save_checkpoint_epochs", "2", "--keep_checkpoint_max", "2"]
    run = KEYS.train(colors / "train", tmp_path / "here", *where, *what, *when)
    final = "hrnetw48cls-colors-final.ckpt"
    assert run.names == ["best.ckpt", "hrnetw48-colors-6_3.ckpt", "hrnetw48-colors-7_3.ckpt", final]
    assert plain.names == ["hrnetw48-imagenet-1_2.ckpt", "hrnetw48cls-imagenet-final.ckpt"]
    assert run.found.weights["classifier.weight"].shape[0] == 7
    assert plain.found.weights["classifier.weight"].shape[0] == 3
    assert "batches of (12, 3, 48, 48)" in run.text
    evaluated = [line.split(",")[0] for line in run.text.splitlines() if line.startswith("====")]
    assert evaluated == ["==== epoch:   3", "==== epoch:   6", "==== epoch:   7"]
    assert [line[:14] for line in run.text.splitlines() if line.startswith("epoch: [")][-1] == "epoch: [ 7/ 7]"


@pytest.mark.slow
@shows("checkpoint_path", "begin_epoch", "end_epoch", "lr")
def test_a_run_goes_on_from_weights(colors: Path, tmp_path: Path, plain: Run) -> None:
    """With a learning rate of 0 the weights at the end are those at the beginning."""
    source = plain.folder / "hrnetw48cls-imagenet-final.ckpt"
    epochs = ["--begin_epoch", "2", "--end_epoch", "4", "--total_epoch", "9"]
    no_rate = ["--lr", "0", "--lr_init", "0", "--lr_end", "0"]
    run = KEYS.train(colors / "train", tmp_path / "out", "--checkpoint_path", str(source), *epochs, *no_rate)
    lines = [line for line in run.text.splitlines() if line.startswith("epoch: [")]
    assert [line[:14] for line in lines] == ["epoch: [ 3/ 4]", "epoch: [ 4/ 4]"]
    assert run.names[0] == "hrnetw48-imagenet-3_2.ckpt"
    start = checkpoint_file.read_checkpoint(source, KEYS.spec).weights
    for name, value in run.found.weights.items():
        if ".moving_" not in name:
            np.testing.assert_array_equal(value, start[name], err_msg=name)


@pytest.mark.slow
@shows("save_ckpt", "data_path")
def test_no_checkpoints(colors: Path, tmp_path: Path) -> None:
    flags = ["--data_path", str(colors / "val"), "--save_ckpt", "False", "--batchsize", "13"]
    run = KEYS.train(tmp_path, tmp_path / "out", *flags)
    assert run.names == []
    assert f"13 images of 3 classes in {colors / 'val'}" in run.text


@shows("train_url", "data_url", "eval_data_url", "checkpoint_url")
def test_places_of_a_cloud_job() -> None:
    words = {"train_url": "output_dir", "data_url": "data_dir", "eval_data_url": "eval_data_dir"}
    for url, name in {**words, "checkpoint_url": "resume"}.items():
        assert getattr(storage.replace_urls(parsed(f"--{url}", "here"), "resume").config, name) == "here"


@shows("checkpoint_url")
def test_a_missing_checkpoint_of_a_cloud_job_is_asked_for(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*tiny("hrnet_w48"), "--data_path", str(colors / "train"), "--train_path", str(tmp_path / "out")]
    assert commands.train(KEYS.spec, [*flags, "--checkpoint_url", "no.ckpt"]) == 2
    assert "no.ckpt is missing" in capsys.readouterr().err


@shows("modelarts")
def test_modelarts() -> None:
    """What it does is shown where there is a module moxing."""
    (line,) = storage.replace_urls(parsed("--modelarts", "True"), "resume").notes()
    assert line.startswith("modelarts has no effect")
    assert storage.replace_urls(parsed("--modelarts", "True", "--data_url", "obs://b/d"), "resume").notes() == []


@shows("run_distribute")
def test_run_distribute() -> None:
    assert [parsed("--run_distribute", word).config.is_distributed for word in ("True", "False")] == [True, False]
    (line,) = said("--run_distribute", "True", "--rank", "1")
    assert line.startswith("rank has no effect: is_distributed is true")


@shows("device_target")
def test_device_target(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data_path", str(colors / "train"), "--train_path", str(tmp_path / "out")]
    assert commands.train(KEYS.spec, [*flags, "--device_target", "Ascend"]) == 2
    assert "device_target is Ascend, and MindSpore finds none here" in capsys.readouterr().err


@shows("lr_scheme", "lr")
@pytest.mark.parametrize(
    ("scheme", "shares"),
    [
        ("linear", 1 - DONE),
        ("polynomial", (1 - DONE) ** 2),
        ("cosine", (1 - DONE) * 0.5 * (1 + np.cos(0.94 * np.pi * DONE)) + 1e-5),
    ],
)
def test_lr_scheme(scheme: str, shares: np.ndarray) -> None:
    found = rates("--lr_scheme", scheme, "--lr", "0.4", "--lr_end", "0", *NO_WARMUP)
    np.testing.assert_allclose(found, 0.4 * shares, rtol=1e-6)


@shows("warmup_epochs", "lr_init")
@pytest.mark.parametrize("scheme", ["linear", "polynomial", "cosine"])
def test_warmup_epochs_and_lr_init(scheme: str) -> None:
    """Three of eight epochs rise from lr_init; the five after them have the decay of five epochs."""
    found = rates("--lr_scheme", scheme, "--warmup_epochs", "3", "--lr_init", "0.2")
    np.testing.assert_allclose(found[:6], [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_array_equal(found[6:], rates("--lr_scheme", scheme, "--max_epoch", "5", *NO_WARMUP))


@shows("lr_end")
def test_lr_end() -> None:
    np.testing.assert_allclose(rates("--lr_end", "0.4", *NO_WARMUP), 0.8 - 0.4 * DONE, rtol=1e-6)
    (line,) = said("--lr_end", "0.4", "--lr_scheme", "cosine")
    assert line.startswith("lr_end has no effect: lr_scheme is cosine")


def test_the_published_schedule() -> None:
    """10009 steps per epoch: from 0.0001 in two epochs to 0.01, then down; the last step is one above 0.00001."""
    found = KEYS.spec.learning_rates(parsed().config, 10009)
    slope = (0.01 - 0.00001) / (118 * 10009)
    np.testing.assert_allclose(found[[0, 10009, 20018, -1]], [0.0001, 0.00505, 0.01, 0.00001 + slope], rtol=1e-4)


@shows("use_label_smooth", "label_smooth_factor")
def test_label_smooth_and_its_factor() -> None:
    KEYS.assert_smooths("use_label_smooth", default=0.1)
    evaluated = reading.read_config(HRNetEvalConfig, [], aliases=KEYS.spec.eval_aliases).config
    assert evaluated.smoothing == 0.1


def first_weights(*flags: str) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy() for parameter in KEYS.step(*flags).trained}


@shows("conv_init", "dense_init")
def test_first_weights() -> None:
    """Truncated ones end at two sigmas of 0.027; the others are much smaller here, or much larger."""
    usual = first_weights()
    other = first_weights("--conv_init", "HeNormal", "--dense_init", "TruncatedNormal")
    convolution, classifier = "stage2.0.branches.0.0.conv1.weight", "classifier.weight"
    assert np.abs(usual[convolution]).max() <= 0.054 < 0.2 < np.abs(other[convolution]).max()
    assert usual[classifier].std() == pytest.approx(0.01, rel=0.2)
    assert other[classifier].std() == pytest.approx(0.024, rel=0.2)


@shows("optimizer", "opt_momentum", "eps")
def test_optimizer_and_its_numbers() -> None:
    usual = KEYS.step().optimizer
    assert (usual.cls_name, usual.momentum, usual.epsilon) == ("RMSProp", 0.9, 0.001)
    other = KEYS.step("--opt_momentum", "0.5", "--eps", "0.25").optimizer
    assert (other.momentum, other.epsilon) == (0.5, 0.25)
    assert KEYS.step("--optimizer", "momentum").optimizer.cls_name == "Momentum"
    (line,) = said("--optimizer", "momentum", "--eps", "0.25")
    assert line.startswith("eps has no effect: optimizer is momentum")


@shows("wd")
def test_weight_decay() -> None:
    optimizer = KEYS.step("--wd", "0.25").optimizer
    decays = {p.name: float(decay) for p, decay in zip(optimizer.parameters, optimizer.weight_decay, strict=True)}
    assert {decay for name, decay in decays.items() if name.endswith(".weight")} == {0.25}
    assert {decay for name, decay in decays.items() if not name.endswith(".weight")} == {0.0}


@shows("loss_scale")
def test_loss_scale() -> None:
    """A factor that cancels out in float32, and is said to."""
    assert [float(KEYS.step(*flags).scale) for flags in ([], ["--loss_scale", "64"])] == [1024, 64]
    (line,) = setup.ineffective(parsed("--loss_scale", "64"), "CPU", level="O0", evaluated=True)
    assert line.startswith("loss_scale has no effect on the result")


@shows("model")
@pytest.mark.parametrize("name", ["cls_hrnet_w18", "hrnet_w18", "W18"])
def test_model_by_name(name: str) -> None:
    assert parsed("--model", name).config.width == 18


def recipe(folder: Path, **stages: dict[str, Any]) -> Path:
    """A YAML file with the mapping of width 18 in which these stages have other words."""
    extra = {"FINAL_CONV_KERNEL": 1, **{stage: {**words, **stages.get(stage, {})} for stage, words in STAGES.items()}}
    text = yaml.safe_dump({"model": {"name": "cls_hrnet", "extra": extra}})
    (folder / "original.yaml").write_text(text, encoding="utf-8")
    return folder / "original.yaml"


@shows("model")
def test_model_by_its_stages(tmp_path: Path) -> None:
    found = parsed("--config_path", str(recipe(tmp_path))).config
    assert KEYS.spec.network_options(found) == {"width": 18, "modules": (1, 4, 3), "blocks": 4, "head_width": 32}


@pytest.mark.parametrize(
    ("stage", "word", "value", "message"),
    [
        ("STAGE3", "BLOCK", "BOTTLENECK", r"STAGE3 BLOCK BOTTLENECK; this network has BASIC there$"),
        ("STAGE2", "NUM_CHANNELS", [18, 40], r"STAGE2 NUM_CHANNELS \[18, 40\]; .* \[18, 36\] there$"),
        ("STAGE4", "NUM_BLOCKS", [4, 4, 4, 2], r"STAGE4 NUM_BLOCKS \[4, 4, 4, 2\]; .* \[4, 4, 4, 4\] there$"),
        ("STAGE4", "NUM_BRANCHES", 3, r"STAGE4 NUM_BRANCHES 3; .* 4 there$"),
        ("STAGE3", "FUSE_METHOD", "CAT", r"STAGE3 FUSE_METHOD CAT; .* SUM there$"),
        ("STAGE3", "NUM_MODULES", "four", r"STAGE3 NUM_MODULES four; wanted whole numbers$"),
    ],
)
def test_a_model_that_cannot_be(tmp_path: Path, stage: str, word: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match="^model has " + message):
        parsed("--config_path", str(recipe(tmp_path, **{stage: {word: value}})))


def test_a_model_without_stages(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("model:\n  extra: {STAGE1: {NUM_BLOCKS: [4]}}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"^model has no STAGE2, STAGE3, STAGE4; wanted a mapping for each of"):
        parsed("--config_path", str(tmp_path / "x.yaml"))
    with pytest.raises(UserError, match=r"^model is resnet50; wanted cls_hrnet_w and the width"):
        parsed("--model", "resnet50")


def test_every_key_of_the_list_is_covered() -> None:
    assert set(TABLE) == KEYS.covered
    assert len(TABLE) == 37
    known = {field.name for field in dataclasses.fields(KEYS.spec.train_config)}
    assert [name for name in TABLE if name not in known | {*TRAIN_ALIASES, *KEYS.spec.train_aliases}] == []
