"""Whatever ends a run, a file is left that it can go on from; and one run at a time writes into a folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.object_storage import IMPORTABLE
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import PLAIN_IMAGES, Trained, newest_run, run_train, training
from mindzoo.tests.training.test_callbacks import STEPS, advance, make_run, play
from mindzoo.utils import commands, log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.training import run_lock, starting_point
from mindzoo.utils.training.callbacks import saving
from mindzoo.utils.training.callbacks.saving import Checkpoints


def meta(path: Path) -> dict[str, Any]:
    return checkpoint_file.read_checkpoint(path, SPEC).meta


def test_last_is_the_state_of_each_epochs_end(tmp_path: Path) -> None:
    """Densenet121's own rhythm, every 50,000 steps, keeps nothing of a small data set."""
    run, saver, seen = make_run(tmp_path / "out"), Checkpoints(), []
    for _ in range(3):
        for _ in range(STEPS):
            advance(run)
            saver.on_step(run)
        saver.on_epoch_end(run)
        seen.append(meta(run.folder.path / "last.ckpt")["step"])
        run.epoch, run.epoch_step = run.epoch + 1, 0
    assert seen == [4, 8, 12]
    assert [path.name for path in run.folder.path.glob("*.ckpt")] == ["last.ckpt"]


def test_last_is_written_every_few_minutes_too(tmp_path: Path) -> None:
    run, saver = make_run(tmp_path / "out", save_minutes=1e-9), Checkpoints()
    advance(run)
    saver.on_step(run)
    assert meta(run.folder.path / "last.ckpt")["step"] == 1
    run.config = make_run(tmp_path / "other", save_minutes=10).config
    advance(run)
    saver.on_step(run)
    assert meta(run.folder.path / "last.ckpt")["step"] == 1


def test_last_is_the_newest_numbered_file_by_another_name(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", save_checkpoint_epochs=1)
    play(run, Checkpoints())
    assert (run.folder.path / "last.ckpt").samefile(run.folder.path / "0-3_4.ckpt")


def test_data_that_vanish_leave_what_was_done(trained: Trained, tmp_path: Path) -> None:
    """The run that goes on, once they are back, ends as one without the break."""
    data, kept = tmp_path / "data", trained.data / "train"
    shutil.copytree(kept, data)
    flags = ["--max_epoch", "5000", *PLAIN_IMAGES]
    command = [sys.executable, str(ROOT / "models/densenet121/train.py"), *training(data, tmp_path / "out", *flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "epoch[1]" in line)
        shutil.rmtree(data)
        process.communicate(timeout=60)
    assert process.returncode != 0
    run = newest_run(tmp_path / "out")
    done = meta(run / "last.ckpt")["step"]
    assert done >= 12
    shutil.copytree(kept, data)
    flags += ["--max_steps", str(done + 2)]
    assert run_train(data, tmp_path / "out", *flags, "--resume", "auto") == run
    whole = run_train(data, tmp_path / "whole", *flags)
    found, wanted = (checkpoint_file.read_checkpoint(folder / "last.ckpt", SPEC).weights for folder in (run, whole))
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    run, saver = make_run(tmp_path / "out", ckpt_interval=1), Checkpoints()
    advance(run)
    saver.on_step(run)
    weight = run.train_step.network.trainable_params()[0]
    weight.set_data(ms.Tensor(np.full(weight.shape, np.nan, np.float32)))
    advance(run)
    with pytest.raises(UserError, match=rf"^{weight.name} holds values that are not finite after step 2 .*0-1_1\.ckpt"):
        saver.on_step(run)
    saver.on_error(run)
    assert sorted(path.name for path in run.folder.path.glob("*.ckpt")) == ["0-1_1.ckpt"]


def test_auto_takes_the_newest_of_all_files_and_passes_over_what_is_not_finite(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "out" / "run"
    run.mkdir(parents=True)
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in found.values()}
    rows["head.fc.weight"] = ms.Parameter(ms.Tensor(np.full_like(found.weights["head.fc.weight"], np.nan)))
    checkpoint_file.save_checkpoint(run / "0-9_6.ckpt", rows, found.meta)
    shutil.copy(trained.folder / "0-2_6.ckpt", run)
    shutil.copy(trained.checkpoint, run / "last.ckpt")
    shutil.copy(trained.folder / "best.ckpt", run)
    log.start()
    assert [path.name for path in starting_point.newest_first(SPEC, tmp_path / "out")][:2] == [
        "0-9_6.ckpt",
        "last.ckpt",
    ]
    taken = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert taken is not None
    assert taken.path.name == "last.ckpt"
    out = capsys.readouterr().out
    assert "passed over " + str(run / "0-9_6.ckpt") + ": head.fc.weight holds values that are not finite" in out
    for name in ("0-2_6.ckpt", "last.ckpt"):
        (run / name).unlink()
    taken = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert taken is not None
    assert taken.path.name == "best.ckpt"


def test_the_first_file_that_cannot_be_written_is_a_warning_the_second_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, saver = make_run(tmp_path / "out", ckpt_interval=1), Checkpoints()
    shutil.rmtree(run.folder.path)
    advance(run)
    saver.on_step(run)
    assert "cannot write the checkpoint" in capsys.readouterr().out
    run.folder.path.mkdir()
    advance(run)
    saver.on_step(run)
    assert meta(run.folder.path / "0-1_2.ckpt")["step"] == 2
    shutil.rmtree(run.folder.path)
    advance(run)
    saver.on_step(run)
    advance(run)
    with pytest.raises(UserError, match="cannot write the checkpoint"):
        saver.on_epoch_end(run)


def test_a_disk_that_is_slow_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, saver = make_run(tmp_path / "out", ckpt_interval=1), Checkpoints()
    for limit, said in ((10.0, False), (0.0, True)):
        monkeypatch.setattr(saving, "SLOW", limit)
        advance(run)
        saver.on_step(run)
        assert ("the disk took 0 s for it" in capsys.readouterr().out) is said


def test_a_second_run_into_a_folder_is_told_who_is_there(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "out" / stopped.folder.name
    shutil.copytree(stopped.folder, run)
    code = f"from pathlib import Path\nfrom mindzoo.utils.training import run_lock\nwith run_lock.holding(Path({str(run)!r})):\n    print('held', flush=True)\n    input()\n"
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTABLE + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        flags = ["--resume", "auto", "--max_epoch", "3", "--ema_decay", "0.5", "--is_dynamic_loss_scale", "1"]
        assert commands.train(SPEC, training(stopped.data, tmp_path / "out", *flags)) == 2
        error = capsys.readouterr().err
        assert f"{run} is in use by process {holder.pid} on " in error
        assert {path.name: path.read_bytes() for path in run.iterdir()} == before
        holder.send_signal(signal.SIGKILL)
    (run / ".best.123.tmp.ckpt").write_text("half")
    (run / ".best.123.tmp.tmp").write_text("half")
    assert (run / run_lock.NAME).exists()
    assert commands.train(SPEC, training(stopped.data, tmp_path / "out", *flags, "--max_steps", "9")) == 0
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[0])["step"] == 6


@pytest.mark.parametrize(("side", "status"), [("32", 2), ("64", 0)])
def test_a_batch_norm_over_one_value_is_refused_before_the_first_step(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], side: str, status: int
) -> None:
    flags = ["--batch_size", "1", "--image_size", side, "--block_config", "1,1,1,1", "--max_steps", "1"]
    assert commands.train(SPEC, training(colors / "train", tmp_path / "out", *flags)) == status
    if status:
        assert "batch_size is 1, and batch norm" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
