"""Every key of the original README's list has an effect that can be seen, or a line that says why it has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.keys import Keys, Run
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.training import setup

# The list of the original README, in its order, and the words of its launch scripts that are the network's.
TABLE = [
    "class_num",
    "batch_size",
    "loss_scale",
    "momentum",
    "weight_decay",
    "epoch_size",
    "pretrain_epoch_size",
    "save_checkpoint",
    "save_checkpoint_epochs",
    "keep_checkpoint_max",
    "decay_mode",
    "save_checkpoint_path",
    "hold_epochs",
    "use_label_smooth",
    "label_smooth_factor",
    "lr_init",
    "lr_end",
]
WORDS = ["mlp", "extra", "pre_trained"]
# By our names; class_num is the number of class folders unless it is given.
DEFAULTS = {
    "batch_size": 256,
    "loss_scale": 1024,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "max_epoch": 150,
    "begin_epoch": 0,
    "save_checkpoint": True,
    "save_checkpoint_epochs": 10,
    "keep_checkpoint_max": 5,
    "decay_mode": "linear",
    "output_dir": "./checkpoints",
    "hold_epochs": 0,
    "label_smooth": True,
    "label_smooth_factor": 0.1,
    "lr": 0.8,
    "lr_end": 0.0,
    "mlp": True,
    "extra": True,
    "pretrained": "",
    "resize_mode": "shorter",
    "warmup_epochs": 0,
}
KEYS = Keys("genet_res50")
parsed, rates, said, shows, step = KEYS.parsed, KEYS.rates, KEYS.said, KEYS.shows, KEYS.step


@pytest.fixture(scope="module")
def plain(colors: Path, shared: Path) -> Run:
    """The run that the others are compared with."""
    return KEYS.train_once(shared / "genet_res50_plain", colors / "train")


def test_defaults_are_those_of_the_list() -> None:
    settings = dataclasses.asdict(parsed().config)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


@shows("class_num", "batch_size", "epoch_size", "save_checkpoint_epochs")
@pytest.mark.slow
def test_classes_batch_epochs_and_every_second_one_saved(colors: Path, tmp_path: Path, plain: Run) -> None:
    flags = ["--class_num", "7", "--batch_size", "12", "--epoch_size", "5", "--save_checkpoint_epochs", "2"]
    run = KEYS.train(colors / "train", tmp_path / "out", *flags)
    assert run.found.weights["end_point.weight"].shape[0] == 7
    assert "num_classes is 7 for 3 class folders" in run.text
    assert plain.found.weights["end_point.weight"].shape[0] == 3
    assert "batches of (12, 3, 32, 32)" in run.text
    assert run.names == ["GENet-2_3.ckpt", "GENet-4_3.ckpt", "GENet-5_3.ckpt"]
    assert plain.names == ["GENet-1_2.ckpt"]
    assert len(rates("--epoch_size", "3")) == 6


@shows("pretrain_epoch_size", "pre_trained", "keep_checkpoint_max")
def test_epochs_that_were_trained_before(colors: Path, tmp_path: Path, plain: Run) -> None:
    """With a learning rate of 0 the weights at the end are those at the beginning."""
    source = plain.folder / plain.names[-1]
    flags = ["--pre_trained", str(source), "--pretrain_epoch_size", "2", "--epoch_size", "5", "--lr_init", "0"]
    keep = ["--save_checkpoint_epochs", "1", "--keep_checkpoint_max", "2"]
    run = KEYS.train(colors / "train", tmp_path / "out", *flags, *keep)
    epochs = [line.split()[1] for line in run.text.splitlines() if line.startswith("epoch: ")]
    assert epochs == ["3", "4", "5"]
    assert run.names == ["GENet-4_2.ckpt", "GENet-5_2.ckpt"]
    assert f"load model {source} success" in run.text
    start = checkpoint_file.read_checkpoint(source, KEYS.spec).weights
    for name, value in run.found.weights.items():
        if ".moving_" not in name:
            np.testing.assert_array_equal(value, start[name], err_msg=name)


@shows("pretrain_epoch_size")
def test_epochs_before_without_weights(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*tiny("genet_res50"), "--data_dir", str(colors / "train"), "--output_dir", str(tmp_path / "out")]
    assert commands.train(KEYS.spec, [*flags, "--pretrain_epoch_size", "2", "--batch_size", "18"]) == 2
    assert "begin_epoch is 2, without weights to start from" in capsys.readouterr().err


@pytest.mark.slow
@shows("save_checkpoint", "save_checkpoint_path")
def test_no_checkpoints_and_another_folder(colors: Path, tmp_path: Path) -> None:
    flags = ["--save_checkpoint_path", str(tmp_path / "here"), "--save_checkpoint", "False", "--max_steps", "1"]
    argv = [*tiny("genet_res50"), "--data_dir", str(colors / "train"), "--batch_size", "18", "--lr", "0.05", *flags]
    assert commands.train(KEYS.spec, argv) == 0
    assert (tmp_path / "here" / "config.yaml").is_file()
    assert list(tmp_path.rglob("*.ckpt")) == []


@shows("loss_scale")
def test_loss_scale() -> None:
    """A factor that cancels out in float32, and is said to."""
    assert float(step("--loss_scale", "64").scale) == 64
    assert float(step().scale) == 1024
    loaded = parsed("--loss_scale", "64")
    (line,) = setup.ineffective(loaded, "CPU", level="O0", evaluated=False)
    assert line.startswith("loss_scale has no effect on the result")
    assert setup.ineffective(loaded, "Ascend", level="O2", evaluated=False) == []


@shows("momentum")
def test_momentum() -> None:
    assert [float(step(*flags).optimizer.momentum) for flags in ([], ["--momentum", "0.5"])] == pytest.approx(
        [0.9, 0.5]
    )


@shows("weight_decay")
def test_weight_decay() -> None:
    """By name: the biases and the gammas and betas of batch norm are left out."""
    optimizer = step("--weight_decay", "0.25").optimizer
    decays = {p.name: float(decay) for p, decay in zip(optimizer.parameters, optimizer.weight_decay, strict=True)}
    assert {decay for name, decay in decays.items() if name.endswith(".weight")} == {0.25}
    assert {decay for name, decay in decays.items() if not name.endswith(".weight")} == {0.0}


@shows("decay_mode", "lr_init")
def test_decay_mode() -> None:
    done = np.arange(16) / 16
    np.testing.assert_allclose(rates("--lr_init", "0.4"), 0.4 * (1 - done), rtol=1e-6)
    cosine = 0.8 * ((1 - done) * 0.5 * (1 + np.cos(0.94 * np.pi * done)) + 1e-5)
    np.testing.assert_allclose(rates("--decay_mode", "cosine"), cosine, rtol=1e-6)


@shows("lr_end")
def test_lr_end() -> None:
    np.testing.assert_allclose(rates("--lr_end", "0.4"), 0.8 - 0.4 * np.arange(16) / 16, rtol=1e-6)
    (line,) = said("--lr_end", "0.4", "--decay_mode", "cosine")
    assert line.startswith("lr_end has no effect: decay_mode is cosine")
    assert said("--lr_end", "0.4") == []


@shows("hold_epochs")
@pytest.mark.parametrize("mode", ["linear", "cosine"])
def test_hold_epochs(mode: str) -> None:
    """Three of eight epochs are held, after two of a warmup; the decay is that of the three that are left."""
    flags = ["--decay_mode", mode]
    found = rates(*flags, "--hold_epochs", "3", "--warmup_epochs", "2")
    np.testing.assert_allclose(found[:4], [0, 0.2, 0.4, 0.6], atol=1e-7)
    np.testing.assert_allclose(found[4:10], 0.8, rtol=1e-6)
    np.testing.assert_allclose(found[10:], rates(*flags, "--max_epoch", "3"), rtol=1e-6)
    np.testing.assert_allclose(rates(*flags, "--hold_epochs", "9"), np.full(16, 0.8), rtol=1e-6)


@shows("use_label_smooth", "label_smooth_factor")
def test_label_smooth_and_its_factor() -> None:
    KEYS.assert_smooths("use_label_smooth", default=0.1)


@shows("mlp", "extra")
@pytest.mark.parametrize("mlp", ["True", "False"])
@pytest.mark.parametrize("extra", ["True", "False"])
def test_the_words_of_the_launch_scripts(mlp: str, extra: str) -> None:
    settings = parsed(*tiny("genet_res50"), "--mlp", mlp, "--extra", extra).config
    names = " ".join(p.name for p in KEYS.spec.build(3, **KEYS.spec.network_options(settings)).get_parameters())
    assert ("mlpLayer" in names, "downop" in names) == (mlp == "True", extra == "True")


def test_a_word_that_is_neither_true_nor_false() -> None:
    with pytest.raises(UserError, match=r"^--extra is 'Yeah'; wanted true or false$"):
        parsed("--extra", "Yeah")


def test_every_key_of_the_list_is_covered() -> None:
    assert {*TABLE, *WORDS} == KEYS.covered
    assert len(TABLE) == 17
    known = {field.name for field in dataclasses.fields(KEYS.spec.train_config)}
    assert [name for name in [*TABLE, *WORDS] if name not in known | set(KEYS.spec.train_aliases)] == []
