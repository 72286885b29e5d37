"""A training and an evaluation on a pack give the bits that they give on the class folders it was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo import cli
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support import launched
from mindzoo.tests.support.trainings import Trained, newest_run, run_train, tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file

# What the training of the fixture `trained` was given.
FLAGS = ["--max_epoch", "4", "--ema_decay", "0.5", "--save_checkpoint_epochs", "2"]
RESULTS = ("kind", "epoch", "mean_loss", "loss", "top1", "top5", "total")


@pytest.fixture(scope="module")
def packed(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "colors"
    assert cli.main(["pack", str(colors), str(out)]) == 0
    return out


def same_state(one: Path, other: Path) -> None:
    """Weights, averages, optimizer and counts, to the bit."""
    first, second = (checkpoint_file.read_checkpoint(path, SPEC) for path in (one, other))
    wanted, found = dict(first.values()), dict(second.values())
    assert {*wanted} == {*found}
    assert [name for name, value in wanted.items() if not np.array_equal(value, found[name])] == []


def results(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in RESULTS if name in row} for row in rows]


def test_a_training_on_a_pack_gives_the_bits_of_its_folder(packed: Path, trained: Trained, tmp_path: Path) -> None:
    """With evaluations on val/, which was found beside train/; the second half after a break, on the other kind of data."""
    assert results(trained.folder)[-1]["total"] == 13
    folder = run_train(packed, tmp_path / "out", *FLAGS)
    assert results(folder) == results(trained.folder)
    same_state(folder / "0-4_6.ckpt", trained.checkpoint)
    half = trained.folder / "0-2_6.ckpt"
    resumed = run_train(packed, tmp_path / "resumed", *FLAGS, "--resume", str(half))
    same_state(resumed / "0-4_6.ckpt", trained.checkpoint)


def test_an_evaluation_on_a_pack_counts_what_it_counts_on_the_folder(
    packed: Path, trained: Trained, tmp_path: Path
) -> None:
    found = []
    for data in (trained.data, packed, packed / "val"):
        where = ["--data_dir", str(data), "--output_dir", str(tmp_path / "eval"), "--batch_size", "4"]
        assert commands.evaluate(SPEC, [*tiny(), "--checkpoint", str(trained.checkpoint), *where]) == 0
        found.append(results(newest_run(tmp_path / "eval")))
    assert found[0] == found[1] == found[2]
    assert found[0][0]["total"] == 13


@pytest.mark.slow
def test_two_ranks_on_a_pack_give_the_bits_of_its_folder(packed: Path, colors: Path, tmp_path: Path) -> None:
    folders = []
    for name, data in (("folders", colors), ("packed", packed)):
        (tmp_path / name).mkdir()
        own = ["--data_dir", data, "--output_dir", "out", "--max_epoch", "1", "--on_bad_image", "skip"]
        job = launched.start(tmp_path / name, "--ranks", "2", "--", *tiny(), *launched.SMALL, *own)
        status, printed = job.finish(seconds_to_vanish=10)
        assert status == 0, printed
        folders.append(next(tmp_path.glob(f"{name}/**/metrics.jsonl")).parent)
    assert results(folders[0]) == results(folders[1]) != []
    same_state(*(folder / "0-1_6.ckpt" for folder in folders))
