"""A run that goes on with other data, batches, ranks or versions: what is said, where it goes on, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.tests.support.trainings import KEPT, PLAIN_IMAGES, Trained, newest_run, run_train, training
from mindzoo.utils import commands, log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World
from mindzoo.utils.training import continuity, loop, setup, starting_point

# Of what decides an image's bits, the keys of the stopped training that are not the defaults.
AS_STOPPED: dict[str, Any] = {
    "crop_pct": 1, "workers": 1, "crop_scale": (1, 1), "crop_ratio": (1, 1), "flip_prob": 0,
}  # fmt: skip


def test_what_differs_is_said(stopped: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    found = checkpoint_file.read_checkpoint(stopped.checkpoint, SPEC)
    config = TrainConfig(data_dir=str(stopped.data), image_size=(32, 32), batch_size=6, **AS_STOPPED)
    data = setup.open_data(config, World()).train
    log.start()
    continuity.say_what_differs(found, config, data)
    assert capsys.readouterr().out == ""
    meta = {**found.meta, "workers": 7, "mindspore": "2.0.0", "ranks": 8, "images": 35}
    meta["config"] = {**meta["config"], "seed": 5, "lr": 9.0, "orientation": "exif", "mixup": 0.2}
    del meta["config"]["cutmix"]  # an older file, which knows no such key
    continuity.say_what_differs(dataclasses.replace(found, meta=meta), config, data)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("resume: ")[1].split(";")[0] for line in lines] == [
        f"mindspore was 2.0.0 and is {ms.__version__}",
        "workers was 7 and is 1",
        "ranks was 8 and is 1",
        "images was 35 and is 36",
        "seed was 5 and is 1",
        "orientation was exif and is stored",
        "mixup was 0.2 and is 0",
    ]


@pytest.mark.parametrize("change", ["name", "size", "neither"])
def test_other_images_of_the_same_number_are_said(
    stopped: Trained, tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the names and the sizes that the checkpoint has a digest of; one without it says nothing of them."""
    shutil.copytree(stopped.data / "train", tmp_path / "data")
    image = next((tmp_path / "data" / "red").glob("*.png"))
    if change == "name":
        image.rename(image.with_name("zzz.png"))
    elif change == "size":
        image.write_bytes(image.read_bytes() + b"more")
    found = checkpoint_file.read_checkpoint(stopped.checkpoint, SPEC)
    config = TrainConfig(data_dir=str(tmp_path / "data"), image_size=(32, 32), batch_size=6, **AS_STOPPED)
    data = setup.open_data(config, World()).train
    log.start()
    continuity.say_what_differs(found, config, data)
    said = capsys.readouterr().out
    if change == "neither":
        assert said == ""
    else:
        assert f"resume: the images in {tmp_path}/data are not those of before: a name or a size is another" in said
        assert said.count("\n") == 1
    older = {name: value for name, value in found.meta.items() if name != continuity.DIGEST}
    continuity.say_what_differs(dataclasses.replace(found, meta=older), config, data)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("resume", ["auto", "file"])
def test_another_batch_size_goes_on_at_the_same_part_of_the_epoch(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], resume: str
) -> None:
    """2 of 6 steps are 3 of 9; rates, names and the history are those of the new steps, in a folder of its own."""
    before = tmp_path / "out" / stopped.folder.name
    shutil.copytree(stopped.folder, before)
    files = {path.name: path.read_bytes() for path in before.iterdir()}
    flags = ["--max_epoch", "3", *KEPT, *PLAIN_IMAGES, "--batch_size", "4", "--save_checkpoint_epochs", "1"]
    wanted = "auto" if resume == "auto" else str(before / stopped.checkpoint.name)
    run = run_train(stopped.data, tmp_path / "out", *flags, "--resume", wanted)
    said = capsys.readouterr().out
    assert run != before
    assert "batch_size was 6 and is 4; the run goes on, but not to the bit" in said
    assert "epoch 2/3 step 4/9" in said
    assert "epoch 2/3 step 3/9" not in said
    assert {path.name: path.read_bytes() for path in before.iterdir()} == files
    assert sorted(path.name for path in run.glob("0-*.ckpt")) == ["0-2_9.ckpt", "0-3_9.ckpt"]
    assert (run / "best.ckpt").exists()
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows if row["kind"] == "epoch"] == [(0, 6), (1, 18), (2, 27)]
    config = DenseNetTrainConfig(max_epoch=3, lr=0.05, batch_size=4)
    rates = SPEC.learning_rates(config, 9)
    assert [row["lr"] for row in rows if row["kind"] == "epoch"][1:] == [float(rates[17]), float(rates[26])]
    end = checkpoint_file.read_checkpoint(run / "0-3_9.ckpt", SPEC)
    assert end.meta["step"] == 27
    assert int(np.ravel(end.state["global_step"])[0]) == 27


def test_a_folder_of_its_own_does_not_hide_a_newer_state(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends before its first file: the best of before must not stand there alone."""
    before = tmp_path / "out" / trained.folder.name
    shutil.copytree(trained.folder, before)

    def fail(*_: object) -> None:
        raise UserError("ended before the first step")

    monkeypatch.setattr(loop, "compile_step", fail)
    flags = ["--max_epoch", "6", "--ema_decay", "0.5", "--batch_size", "4", "--resume", "auto"]
    assert commands.train(SPEC, training(trained.data, tmp_path / "out", *flags)) == 2
    assert newest_run(tmp_path / "out") != before
    found = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert found is not None
    assert (found.path.parent, found.meta["step"]) == (before, 24)


def test_other_classes_are_refused(
    stopped: Trained, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(colors / "train", tmp_path / "data")
    (tmp_path / "data" / "blue").rename(tmp_path / "data" / "violet")
    argv = training(tmp_path / "data", tmp_path / "out", "--resume", str(stopped.checkpoint), *KEPT)
    assert commands.train(SPEC, argv) == 2
    error = capsys.readouterr().err
    assert "classes blue, green, red" in error
    assert "green, red, violet (gone: blue; new: violet);" in error
    assert "--pretrained" in error
    assert not (tmp_path / "out").exists()
