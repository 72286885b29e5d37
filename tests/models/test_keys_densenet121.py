"""Every key of the original README's table has an effect that can be seen, or a line that says why it has none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.keys import Keys, Run
from mindzoo.tests.support.trainings import Trained, newest_run, training
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file

# The table of the original README, in its order; it writes Data_dir, and data_dir in its examples.
TABLE = [
    "Data_dir",
    "data_dir",
    "num_classes",
    "image_size",
    "per_batch_size",
    "pretrained",
    "lr_scheduler",
    "lr",
    "lr_epochs",
    "lr_gamma",
    "eta_min",
    "T_max",
    "max_epoch",
    "warmup_epochs",
    "weight_decay",
    "momentum",
    "label_smooth",
    "label_smooth_factor",
    "log_interval",
    "ckpt_path",
    "ckpt_interval",
    "is_save_on_master",
    "is_distributed",
    "rank",
    "group_size",
]
# The defaults that the table names, and those of the original zoo's code where it names none.
DEFAULTS = {
    "batch_size": 256,
    "weight_decay": 1e-4,
    "momentum": 0.9,
    "log_interval": 100,
    "is_distributed": True,
    "rank": 0,
    "group_size": 1,
}
KEYS = Keys("densenet121")
parsed, rates, said, shows = KEYS.parsed, KEYS.rates, KEYS.said, KEYS.shows
SMALLEST = ["--block_config", "1"]


def short(data: Path, output: Path, *flags: str) -> Run:
    """One epoch of two steps with the smallest network."""
    return KEYS.train(data, output, *SMALLEST, *flags)


@pytest.fixture(scope="module")
def plain(colors: Path, shared: Path) -> Run:
    """The run that the others are compared with."""
    return KEYS.train_once(shared / "densenet121_plain", colors / "train", *SMALLEST)


def test_defaults_are_those_of_the_table() -> None:
    settings = dataclasses.asdict(parsed().config)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("spelling", ["--Data_dir", "--data_dir"])
@shows("Data_dir", "data_dir")
def test_data_dir(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spelling: str) -> None:
    argv = training(tmp_path / "none", tmp_path / "out", spelling, str(colors / "val"), "--max_steps", "1")
    assert commands.train(SPEC, argv) == 0
    assert f"13 images of 3 classes in {colors / 'val'}" in capsys.readouterr().out


@shows("num_classes")
def test_num_classes(colors: Path, tmp_path: Path, plain: Run) -> None:
    run = short(colors / "train", tmp_path / "out", "--num_classes", "7")
    assert run.found.weights["head.fc.weight"].shape[0] == 7
    assert plain.found.weights["head.fc.weight"].shape[0] == 3
    assert "num_classes is 7 for 3 class folders" in run.text


@shows("image_size")
@pytest.mark.parametrize(("value", "size"), [("48", (48, 48)), ("40,48", (40, 48))])
def test_image_size(colors: Path, tmp_path: Path, plain: Run, value: str, size: tuple[int, int]) -> None:
    run = short(colors / "train", tmp_path / "out", "--image_size", value)
    assert f"(18, 3, {size[0]}, {size[1]})" in run.text
    assert "(18, 3, 32, 32)" in plain.text
    assert run.found.meta["preprocessing"]["image_size"] == list(size)
    assert run.losses != plain.losses


@shows("per_batch_size")
def test_per_batch_size(colors: Path, tmp_path: Path, plain: Run) -> None:
    run = short(colors / "train", tmp_path / "out", "--per_batch_size", "9")
    assert "batches of (9, 3, 32, 32)" in run.text
    assert (run.names, plain.names) == (["0-1_4.ckpt"], ["0-1_2.ckpt"])


@shows("pretrained")
def test_pretrained(colors: Path, tmp_path: Path, trained: Trained, plain: Run) -> None:
    """With a learning rate of 0 the weights at the end are those at the beginning."""
    run = short(
        colors / "train",
        tmp_path / "out",
        "--pretrained",
        str(trained.checkpoint),
        "--lr",
        "0",
        "--block_config",
        "1,1",
    )
    start = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).averaged
    assert f"load model {trained.checkpoint} success" in run.text
    for name, value in run.found.weights.items():
        if ".moving_" not in name:
            np.testing.assert_array_equal(value, start[name], err_msg=name)
    assert run.losses[0] < plain.losses[0]


@shows("lr_scheduler")
def test_lr_scheduler() -> None:
    cosine, exponential = rates(), rates("--lr_scheduler", "exponential", "--lr_epochs", "4")
    np.testing.assert_allclose(cosine[::2], 0.4 * (1 + np.cos(np.pi * np.arange(8) / 8)), rtol=1e-6)
    np.testing.assert_allclose(exponential[::2], [0.8] * 4 + [0.08] * 4, rtol=1e-6)


@shows("lr")
def test_lr(colors: Path, tmp_path: Path, plain: Run) -> None:
    np.testing.assert_allclose(rates("--lr", "0.2") * 4, rates(), rtol=1e-6)
    run = short(colors / "train", tmp_path / "out", "--lr", "0.2")
    assert json.loads((run.folder / "metrics.jsonl").read_text())["lr"] == pytest.approx(0.2)
    assert not np.array_equal(run.found.weights["head.fc.weight"], plain.found.weights["head.fc.weight"])


@shows("lr_epochs")
def test_lr_epochs() -> None:
    found = rates("--lr_scheduler", "exponential", "--lr_epochs", "2,5")
    np.testing.assert_allclose(found[::2], [0.8] * 2 + [0.08] * 3 + [0.008] * 3, rtol=1e-6)
    assert len(set(found[:4])) == 1
    (line,) = said("--lr_epochs", "2,5")
    assert line.startswith("lr_epochs has no effect: lr_scheduler is cosine_annealing")
    assert said("--lr_epochs", "2,5", "--lr_scheduler", "exponential") == []


@shows("lr_gamma")
def test_lr_gamma() -> None:
    found = rates("--lr_scheduler", "exponential", "--lr_epochs", "2,5", "--lr_gamma", "0.5")
    np.testing.assert_allclose(found[::2], [0.8] * 2 + [0.4] * 3 + [0.2] * 3, rtol=1e-6)
    np.testing.assert_array_equal(rates("--lr_gamma", "0.5"), rates())
    (line,) = said("--lr_gamma", "0.5")
    assert line.startswith("lr_gamma has no effect: lr_scheduler is cosine_annealing")


@shows("eta_min")
def test_eta_min() -> None:
    found = rates("--eta_min", "0.2")
    np.testing.assert_allclose(found[::2], 0.2 + 0.3 * (1 + np.cos(np.pi * np.arange(8) / 8)), rtol=1e-6)
    (line,) = said("--eta_min", "0.2", "--lr_scheduler", "exponential")
    assert line.startswith("eta_min has no effect: lr_scheduler is exponential")


@shows("T_max")
def test_t_max() -> None:
    found = rates("--T_max", "16")
    np.testing.assert_allclose(found[::2], 0.4 * (1 + np.cos(np.pi * np.arange(8) / 16)), rtol=1e-6)
    np.testing.assert_array_equal(rates("--T_max", "0"), rates("--T_max", "8"))
    (line,) = said("--T_max", "16", "--lr_scheduler", "exponential")
    assert line.startswith("T_max has no effect: lr_scheduler is exponential")


@shows("max_epoch")
def test_max_epoch(colors: Path, tmp_path: Path, plain: Run) -> None:
    assert len(rates("--max_epoch", "3")) == 6
    run = short(colors / "train", tmp_path / "out", "--max_epoch", "2")
    assert (run.names, plain.names) == (["0-2_2.ckpt"], ["0-1_2.ckpt"])
    assert (len(run.losses), len(plain.losses)) == (2, 1)


@shows("warmup_epochs")
def test_warmup_epochs() -> None:
    found = rates("--warmup_epochs", "2")
    np.testing.assert_allclose(found[:4], [0.2, 0.4, 0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(found[4:], rates()[4:])
    assert rates()[0] == np.float32(0.8)


@shows("weight_decay")
def test_weight_decay(colors: Path, tmp_path: Path, plain: Run) -> None:
    """One step from the same weights: decayed ones differ by the rate times the decay; biases do not."""
    one = ["--max_steps", "1", "--lr", "0.1"]
    without = short(colors / "train", tmp_path / "a", *one, "--weight_decay", "0").found.weights
    with_decay = short(colors / "train", tmp_path / "b", *one, "--weight_decay", "0.5").found.weights
    start = short(colors / "train", tmp_path / "c", *one, "--lr", "0").found.weights
    for name in ("head.fc.weight", "backbone.features.conv0.weight"):
        np.testing.assert_allclose(with_decay[name], without[name] - 0.05 * start[name], atol=1e-6)
    for name in ("head.fc.bias", "backbone.features.norm0.gamma", "backbone.features.norm0.beta"):
        np.testing.assert_array_equal(with_decay[name], without[name])


@shows("momentum")
def test_momentum(colors: Path, tmp_path: Path, plain: Run) -> None:
    run = short(colors / "train", tmp_path / "out", "--momentum", "0")
    assert not np.array_equal(run.found.weights["head.fc.weight"], plain.found.weights["head.fc.weight"])


@shows("label_smooth", "label_smooth_factor")
def test_label_smooth_and_its_factor() -> None:
    KEYS.assert_smooths("label_smooth", default=0)
    assert parsed("--label_smooth_factor", "0.5").config.smoothing == 0


@shows("log_interval")
@pytest.mark.parametrize(("interval", "steps"), [(2, [1, 2, 4, 6]), (4, [1, 4]), (100, [1])])
def test_log_interval(colors: Path, tmp_path: Path, interval: int, steps: list[int]) -> None:
    run = short(colors / "train", tmp_path / "out", "--batch_size", "6", "--log_interval", str(interval))
    shown = [step for step in range(1, 7) if f"epoch 1/1 step {step}/6 loss " in run.text]
    assert shown == steps


@shows("ckpt_path")
def test_ckpt_path(colors: Path, tmp_path: Path) -> None:
    argv = training(colors / "train", tmp_path / "unused", "--ckpt_path", str(tmp_path / "here"), "--max_steps", "1")
    assert commands.train(SPEC, argv) == 0
    assert (newest_run(tmp_path / "here") / "0-1_1.ckpt").is_file()
    assert not (tmp_path / "unused").exists()


@shows("ckpt_interval")
def test_ckpt_interval(colors: Path, tmp_path: Path) -> None:
    run = short(colors / "train", tmp_path / "out", "--batch_size", "6", "--ckpt_interval", "4")
    assert run.names == ["0-1_4.ckpt", "0-1_6.ckpt"]


@shows("is_save_on_master", "rank", "group_size")
@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--rank", "1"], []),
        (["--rank", "1", "--is_save_on_master", "0"], ["1-1_2.ckpt"]),
        (["--rank", "0", "--is_save_on_master", "1"], ["0-1_2.ckpt"]),
    ],
)
def test_ranks_and_who_saves(colors: Path, tmp_path: Path, flags: list[str], names: list[str]) -> None:
    """Two ranks of nine images share what one rank of eighteen sees."""
    run = short(colors / "train", tmp_path / "out", "--batch_size", "9", "--group_size", "2", *flags)
    assert run.names == names
    assert f"{run.folder.name}_rank_{flags[1]}.log" in {path.name for path in run.folder.iterdir()}
    assert (run.folder / "metrics.jsonl").exists() is (flags[1] == "0")
    assert "batches of (9, 3, 32, 32)" in run.text


@shows("rank", "group_size", "is_distributed")
def test_rank_and_group_size_have_no_effect_beside_is_distributed() -> None:
    given = ["--rank", "1", "--group_size", "2"]
    assert said(*given, "--is_distributed", "0") == []
    lines = said(*given)  # is_distributed is 1 by default
    assert [line.split(" has no effect: ")[0] for line in lines] == ["rank", "group_size"]
    assert all("is_distributed is true" in line for line in lines)


@shows("is_distributed")
def test_is_distributed(colors: Path, tmp_path: Path, plain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MS_ROLE", "RANK_TABLE_FILE", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    line = "is_distributed is 1, but no launcher started this process: it runs alone, as rank 0 of 1"
    run = short(colors / "train", tmp_path / "out", "--is_distributed", "1", "--max_steps", "1")
    assert line in run.text
    assert line not in plain.text


def test_every_key_of_the_table_is_covered() -> None:
    assert set(TABLE) == KEYS.covered
    assert len(TABLE) == 25
    known = {field.name for field in dataclasses.fields(SPEC.train_config)}
    assert [name for name in TABLE if name not in known | set(SPEC.train_aliases)] == []
