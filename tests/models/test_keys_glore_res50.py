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

# The list of the original README, in its order.
TABLE = [
    "class_num",
    "batch_size",
    "loss_scale",
    "momentum",
    "weight_decay",
    "epoch_size",
    "pretrained",
    "pretrain_epoch_size",
    "save_checkpoint",
    "save_checkpoint_epochs",
    "keep_checkpoint_max",
    "save_checkpoint_path",
    "warmup_epochs",
    "lr_decay_mode",
    "use_label_smooth",
    "label_smooth_factor",
    "weight_init",
    "use_autoaugment",
    "lr_init",
    "lr_max",
    "lr_end",
]
# By our names; class_num is the number of class folders unless it is given.
DEFAULTS = {
    "batch_size": 128,
    "loss_scale": 1024,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "max_epoch": 120,
    "pretrained": "",
    "begin_epoch": 0,
    "save_checkpoint": True,
    "save_checkpoint_epochs": 5,
    "keep_checkpoint_max": 10,
    "output_dir": "./",
    "warmup_epochs": 0,
    "lr_decay_mode": "Linear",
    "label_smooth": True,
    "label_smooth_factor": 0.05,
    "weight_init": "xavier_uniform",
    "auto_augment": True,
    "lr_init": 0.0,
    "lr": 0.8,
    "lr_end": 0.0,
    "use_glore": True,
    "resize_mode": "shorter",
    "optimizer": "momentum",
}
KEYS = Keys("glore_res50")
parsed, rates, said, shows = KEYS.parsed, KEYS.rates, KEYS.said, KEYS.shows
UNCHANGED_IMAGES = ["--use_autoaugment", "False"]
DONE = np.arange(16) / 16


@pytest.fixture(scope="module")
def plain(colors: Path, shared: Path) -> Run:
    """The run that the others are compared with."""
    return KEYS.train_once(shared / "glore_res50_plain", colors / "train", *UNCHANGED_IMAGES)


def test_defaults_are_those_of_the_list() -> None:
    settings = dataclasses.asdict(parsed().config)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


@shows("class_num", "batch_size", "epoch_size", "save_checkpoint_epochs", "keep_checkpoint_max")
@pytest.mark.slow
def test_classes_batch_epochs_and_the_last_checkpoints(colors: Path, tmp_path: Path, plain: Run) -> None:
    flags = ["--class_num", "7", "--batch_size", "12", "--epoch_size", "7"]
    keep = ["--save_checkpoint_epochs", "2", "--keep_checkpoint_max", "3"]
    run = KEYS.train(colors / "train", tmp_path / "out", *flags, *keep)
    assert run.found.weights["end_point.weight"].shape[0] == 7
    assert "num_classes is 7 for 3 class folders" in run.text
    assert plain.found.weights["end_point.weight"].shape[0] == 3
    assert "batches of (12, 3, 32, 32)" in run.text
    assert run.names == ["glore_res50_4-3.ckpt", "glore_res50_6-3.ckpt", "glore_res50_7-3.ckpt"]
    assert plain.names == ["glore_res50_1-2.ckpt"]
    assert [line.split()[0] for line in run.text.splitlines() if line.startswith("epoch:")][-1] == "epoch:7"


@shows("pretrained", "pretrain_epoch_size", "lr_max")
def test_weights_and_epochs_of_before(colors: Path, tmp_path: Path, plain: Run) -> None:
    """With a learning rate of 0 the weights at the end are those at the beginning."""
    source = plain.folder / plain.names[-1]
    flags = ["--pretrained", str(source), "--pretrain_epoch_size", "2", "--epoch_size", "4", "--lr_max", "0"]
    run = KEYS.train(colors / "train", tmp_path / "out", *flags)
    epochs = [line.split()[0] for line in run.text.splitlines() if line.startswith("epoch:")]
    assert epochs == ["epoch:3", "epoch:4"]
    assert f"load model {source} success" in run.text
    start = checkpoint_file.read_checkpoint(source, KEYS.spec).weights
    for name, value in run.found.weights.items():
        if ".moving_" not in name:
            np.testing.assert_array_equal(value, start[name], err_msg=name)


@shows("pretrained")
def test_the_words_of_the_list_for_pretrained(tmp_path: Path) -> None:
    """The original's key is true or false, and its file is `pretrained_ckpt`."""
    assert parsed("--pretrained", "False").config.pretrained == ""
    assert parsed("--pretrained", "x.ckpt").config.pretrained == "x.ckpt"
    assert parsed("--pretrained_ckpt", "y.ckpt").config.pretrained == "y.ckpt"
    with pytest.raises(UserError, match=r"^pretrained is True; wanted the checkpoint file, or false"):
        parsed("--pretrained", "True")
    (tmp_path / "seed.yaml").write_text("pretrained: False\nclass_num: 7\n", encoding="utf-8")
    assert parsed("--config_path", str(tmp_path / "seed.yaml")).config.pretrained == ""


@shows("pretrain_epoch_size")
def test_epochs_of_before_without_weights(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*tiny("glore_res50"), "--data_dir", str(colors / "train"), "--output_dir", str(tmp_path / "out")]
    assert commands.train(KEYS.spec, [*flags, "--pretrain_epoch_size", "2", "--batch_size", "18"]) == 2
    assert "begin_epoch is 2, without weights to start from" in capsys.readouterr().err


@shows("save_checkpoint", "save_checkpoint_path", "use_autoaugment")
def test_no_checkpoints_another_folder_and_changed_images(colors: Path, tmp_path: Path, plain: Run) -> None:
    """`plain` sees the images as they are: only the policies of AutoAugment can make another loss."""
    flags = ["--save_checkpoint_path", str(tmp_path / "here"), "--save_checkpoint", "False"]
    with_policies = KEYS.train(colors / "train", tmp_path / "here", *flags, "--use_autoaugment", "True")
    assert with_policies.names == []
    assert with_policies.losses != plain.losses


@shows("loss_scale")
def test_loss_scale() -> None:
    """A factor that cancels out in float32, and is said to."""
    assert [float(KEYS.step(*flags).scale) for flags in ([], ["--loss_scale", "64"])] == [1024, 64]
    loaded = parsed("--loss_scale", "64")
    (line,) = setup.ineffective(loaded, "CPU", level="O0", evaluated=True)
    assert line.startswith("loss_scale has no effect on the result")
    assert setup.ineffective(loaded, "Ascend", level="O2", evaluated=True) == []


@shows("momentum")
def test_momentum() -> None:
    found = [float(KEYS.step(*flags).optimizer.momentum) for flags in ([], ["--momentum", "0.5"])]
    assert found == pytest.approx([0.9, 0.5])


@shows("weight_decay")
def test_weight_decay() -> None:
    """By name, as in the original: what has gamma, beta or bias in it is left out."""
    optimizer = KEYS.step("--weight_decay", "0.25").optimizer
    decays = {p.name: float(decay) for p, decay in zip(optimizer.parameters, optimizer.weight_decay, strict=True)}
    assert {decay for name, decay in decays.items() if name.endswith(".weight")} == {0.25}
    assert {decay for name, decay in decays.items() if not name.endswith(".weight")} == {0.0}


@shows("lr_decay_mode", "lr_max")
@pytest.mark.parametrize(
    ("mode", "shares"),
    [
        ("Linear", 1 - DONE),
        ("poly", (1 - DONE) ** 2),
        ("cosine", (1 - DONE) * 0.5 * (1 + np.cos(0.94 * np.pi * DONE)) + 1e-5),
        ("steps", np.repeat([1, 0.1, 0.01, 0.001], [5, 5, 3, 3])),
    ],
)
def test_lr_decay_mode(mode: str, shares: np.ndarray) -> None:
    """Of sixteen steps, 4.8, 9.6 and 12.8 are the shares at which the rate falls in steps."""
    np.testing.assert_allclose(rates("--lr_decay_mode", mode, "--lr_max", "0.4"), 0.4 * shares, rtol=1e-6)


def test_an_unknown_decay() -> None:
    with pytest.raises(UserError, match=r"^lr_decay_mode is linear; wanted one of Linear, poly, cosine, steps"):
        parsed("--lr_decay_mode", "linear")


@shows("warmup_epochs", "lr_init")
@pytest.mark.parametrize("mode", ["Linear", "poly", "cosine", "steps"])
def test_warmup_epochs_and_lr_init(mode: str) -> None:
    """Two of eight epochs rise from lr_init; the six after them have the decay of six epochs."""
    found = rates("--lr_decay_mode", mode, "--warmup_epochs", "2", "--lr_init", "0.4")
    np.testing.assert_allclose(found[:4], [0.4, 0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_array_equal(found[4:], rates("--lr_decay_mode", mode, "--max_epoch", "6"))
    assert rates("--warmup_epochs", "2")[0] == 0


@shows("lr_end")
def test_lr_end() -> None:
    np.testing.assert_allclose(rates("--lr_end", "0.4"), 0.8 - 0.4 * DONE, rtol=1e-6)
    (line,) = said("--lr_end", "0.4", "--lr_decay_mode", "poly")
    assert line.startswith("lr_end has no effect: lr_decay_mode is poly")
    assert said("--lr_end", "0.4") == []


@shows("use_label_smooth", "label_smooth_factor")
def test_label_smooth_and_its_factor() -> None:
    KEYS.assert_smooths("use_label_smooth", default=0.05)


@shows("weight_init")
def test_weight_init() -> None:
    """The largest of many uniform numbers is the root of three times their variance, of normal ones it is more."""
    found = {}
    for name in ("xavier_uniform", "he_uniform", "he_normal"):
        (weight,) = (p for p in KEYS.step("--weight_init", name).trained if p.name == "layer4.0.conv1.weight")
        fan_out, fan_in = weight.shape[:2]
        found[name] = (weight.asnumpy().var() * fan_in, np.abs(weight.asnumpy()).max() / weight.asnumpy().std())
    xavier, uniform, normal = (found[name] for name in found)
    assert [xavier[0], uniform[0], normal[0]] == pytest.approx([2 / (1 + fan_out / fan_in), 2, 2], rel=0.1)
    assert xavier[1] == pytest.approx(3**0.5, rel=0.05)
    assert uniform[1] == pytest.approx(3**0.5, rel=0.05)
    assert normal[1] > 2.5


def test_every_key_of_the_list_is_covered() -> None:
    assert set(TABLE) == KEYS.covered
    assert len(TABLE) == 21
    known = {field.name for field in dataclasses.fields(KEYS.spec.train_config)}
    assert [name for name in TABLE if name not in known | set(KEYS.spec.train_aliases)] == []
