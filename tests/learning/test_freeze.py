"""What is not trained stays as it is, batch norm's statistics included."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained, run_train
from mindzoo.utils.checkpoints import checkpoint_file

FIRST = "backbone.features.conv0.*,backbone.features.norm0.*,backbone.features.denseblock1.*"


def test_frozen_layers_stay_and_the_others_move(trained: Trained, tmp_path: Path) -> None:
    start = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).averaged
    flags = ["--pretrained", str(trained.checkpoint), "--max_epoch", "1", "--max_steps", "2"]
    run = run_train(trained.data, tmp_path / "out", *flags, "--freeze", FIRST)
    end = checkpoint_file.read_checkpoint(run / "0-1_2.ckpt", SPEC).weights
    moved = {name for name in start if not np.array_equal(start[name], end[name])}
    frozen = {name for name in start if name.startswith(tuple(part.rstrip("*") for part in FIRST.split(",")))}
    assert moved == set(start) - frozen
    assert any(name.endswith("moving_mean") for name in frozen)
    log = next(run.glob("*.log")).read_text()
    assert "frozen: 9 of 22 parameters (" in log
    assert (
        "batch norm: 3 of 7 layers are frozen and use their stored statistics; the others use those of the batch" in log
    )


def test_gamma_alone_leaves_the_statistics_of_the_batch(trained: Trained, tmp_path: Path) -> None:
    flags = ["--pretrained", str(trained.checkpoint), "--max_steps", "1", "--freeze", "*.gamma"]
    run = run_train(trained.data, tmp_path / "out", *flags)
    assert "batch norm: 0 of 7 layers are frozen" in next(run.glob("*.log")).read_text()


def test_a_new_head_on_frozen_features(trained: Trained, tmp_path: Path) -> None:
    flags = ["--pretrained", str(trained.checkpoint), "--num_classes", "5", "--replace_head", "--max_steps", "1"]
    run = run_train(trained.data, tmp_path / "out", *flags, "--freeze", "backbone.*")
    start, end = (
        checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).averaged,
        checkpoint_file.read_checkpoint(run / "0-1_1.ckpt", SPEC).weights,
    )
    assert end["head.fc.weight"].shape[0] == 5
    kept = [name for name in start if np.array_equal(start[name], end[name])]
    assert sorted(kept) == sorted(name for name in start if name.startswith("backbone."))
    assert (
        "34 of 36 parameters loaded, 0 missing, 0 unexpected, 0 mismatched; 2 of head.fc as they are; "
        in next(run.glob("*.log")).read_text()
    )
