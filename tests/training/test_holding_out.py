"""A training that holds images out of its folder: what it reads, what is refused beside it, and how it goes on."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import held_out
from mindzoo.utils.data.loader import Data
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import HELD_OUT
from mindzoo.utils.runtime import World
from mindzoo.utils.training import holding_out, setup

SMALL: dict[str, Any] = {"image_size": (32, 32), "crop_pct": 1, "batch_size": 6, "workers": 1}


def opened(data_dir: Path, kept: Path | None = None, **keys: Any) -> Data:
    return setup.open_data(TrainConfig(data_dir=str(data_dir), **{**SMALL, "val_split": 0.25, **keys}), World(), kept)


def names(data: Data) -> tuple[set[str], set[str]]:
    """Of the images that are trained on, and of those that are evaluated."""
    assert data.evaluation
    return {*data.train.folders.files}, {*data.evaluation.folders.files}


def test_what_is_held_out_is_evaluated_and_not_trained_on(colors: Path) -> None:
    """12 images of each of three colours: 9 and 3."""
    data = opened(colors / "train")
    train, held = names(data)
    assert (len(train), len(held), len(train & held)) == (27, 9, 0)
    assert data.held_out is not None
    assert {*data.held_out.names} == held
    assert data.evaluation is not None
    batches = [(images.shape, labels.asnumpy()[mask > 0]) for images, labels, mask in data.evaluation]
    assert sorted(label for _, labels in batches for label in labels.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert batches[0][0] == (6, 3, 32, 32)
    assert data.train.order(0).max() < 27


@pytest.mark.parametrize("keys", [{"repeats": 3}, {"sampling": "balanced"}, {"on_bad_image": "skip"}])
def test_it_is_the_same_with_other_keys(colors: Path, keys: dict[str, Any]) -> None:
    assert names(opened(colors / "train", **keys)) == names(opened(colors / "train"))


def test_a_damaged_image_is_in_neither_part(colors: Path, tmp_path: Path) -> None:
    shutil.copytree(colors / "train", tmp_path / "data")
    (tmp_path / "data" / "red" / "000.png").write_bytes(b"no image")
    (tmp_path / "skip.txt").write_text("red/001.png\n")
    train, held = names(opened(tmp_path / "data", on_bad_image="skip", skip_list=str(tmp_path / "skip.txt")))
    assert len(train | held) == 34
    assert not {"red/000.png", "red/001.png"} & (train | held)


def test_a_pack_is_parted_as_its_folders(colors: Path, tmp_path: Path) -> None:
    from mindzoo.utils.commands.command import run_command
    from mindzoo.utils.commands.of_data import PACK

    assert run_command(PACK, None, [str(colors / "train"), str(tmp_path / "pack")], "mindzoo pack") == 0
    packed, folders = opened(tmp_path / "pack"), opened(colors / "train")
    assert names(packed) == names(folders)
    assert packed.train.folders.content(20) == folders.train.folders.content(20)


def test_other_images_to_evaluate_on_are_refused(colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        UserError, match=r"val_split is 0.25, and there are images to evaluate on already, .+/val; give --val_split 0"
    ):
        opened(colors)
    with pytest.raises(UserError, match="eval_data_dir names images to evaluate on already"):
        opened(colors / "train", eval_data_dir=str(colors / "val"))


def test_a_class_that_gives_none_is_named(tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(colors / "train", tmp_path / "data")
    (tmp_path / "data" / "<b>").mkdir()
    shutil.copy(colors / "train" / "red" / "000.png", tmp_path / "data" / "<b>" / "one.png")
    log.start()
    data = opened(tmp_path / "data", group_by="0")
    out = capsys.readouterr().out
    assert "val_split holds out no image of 1 class, which has one image or one group of them, for training: <b>" in out
    assert "group_by is 0, and the names of 37 of 37 images do not fit it" in out
    assert "<b>/one.png" in names(data)[0]


@pytest.fixture
def run(stopped: Trained, tmp_path: Path) -> Checkpoint:
    """What a training with val_split left; only what is asked of it here is in it."""
    found = checkpoint_file.read_checkpoint(stopped.checkpoint, SPEC)
    config = {**found.meta["config"], "val_split": 0.25, "group_by": ""}
    return dataclasses.replace(found, path=tmp_path / "last.ckpt", meta={**found.meta, "config": config})


def test_a_run_that_goes_on_keeps_its_images(colors: Path, run: Checkpoint, tmp_path: Path) -> None:
    """Whatever the seed and the share are now, and where images came."""
    before = opened(colors / "train")
    assert before.held_out
    before.held_out.keep(tmp_path)
    shutil.copytree(colors / "train", tmp_path / "data")
    shutil.copy(colors / "train" / "red" / "000.png", tmp_path / "data" / "red" / "new.png")
    for share in (0.0, 0.5):
        now = holding_out.settled(TrainConfig(val_split=share, seed=9, resume="auto", **SMALL), World(), run)
        assert now.val_split == 0.25
        kept = holding_out.file_of(run, now)
        after = setup.open_data(dataclasses.replace(now, data_dir=str(tmp_path / "data")), World(), kept)
        assert names(after)[1] == names(before)[1]
        assert names(after)[0] == names(before)[0] | {"red/new.png"}
        assert after.held_out is not None
        assert held_out.read(tmp_path).names == {*after.held_out.names}


def test_what_a_run_cannot_go_on_with(run: Checkpoint, stopped: Trained, tmp_path: Path, colors: Path) -> None:
    config = TrainConfig(val_split=0.25, resume="auto", data_dir=str(colors / "train"), **SMALL)
    with pytest.raises(
        UserError, match=r"held_out.txt is missing, which names the images that last.ckpt was not trained on"
    ):
        holding_out.file_of(run, config)
    (tmp_path / HELD_OUT).write_text("red/000.png\nred/none.png\n")
    with pytest.raises(UserError, match=r"names 2 images, of which .+ lacks 1: red/none.png"):
        setup.open_data(config, World(), holding_out.file_of(run, config))
    with pytest.raises(UserError, match="was trained on all images; leave it out"):
        holding_out.settled(config, World(), checkpoint_file.read_checkpoint(stopped.checkpoint, SPEC))


def test_a_run_that_begins_draws(run: Checkpoint) -> None:
    """Also from a checkpoint that has weights only."""
    config = TrainConfig(val_split=0.25, resume="auto")
    weights_only = dataclasses.replace(run, meta={})
    assert not weights_only.is_of_a_training
    for found in (None, weights_only):
        assert holding_out.settled(config, World(), found) == config
        assert holding_out.file_of(found, config) is None
