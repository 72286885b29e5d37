"""Jobs of several ranks under the supervisor: real msrun, real signals."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from mindzoo.tests.support import launched
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils.launch import processes
from mindzoo.utils.launch.job_plan import HALTED

pytestmark = pytest.mark.slow


def test_a_killed_rank_ends_the_job_and_the_training_goes_on(colors: Path, tmp_path: Path) -> None:
    flags = [*launched.endless(colors), "--save_checkpoint_epochs", "1"]
    job = launched.start(tmp_path, "--ranks", 3, "--", *flags)
    job.wait_for("epoch[2]")
    killed = time.monotonic()
    os.kill(job.pid(1), signal.SIGKILL)
    status, printed = job.finish()
    assert time.monotonic() - killed < 10
    assert status == 128 + signal.SIGKILL
    assert "launch: rank 1 failed first, ended by SIGKILL; the last lines of" in printed
    newest = re.findall(r"saved (output/.*/0-(\d+)_4\.ckpt)", printed)[-1]

    last = int(newest[1]) + 1
    again = launched.start(tmp_path, "--ranks", 3, "--", *flags, "--resume", "auto", "--end_epoch", last)
    status, printed = again.finish()
    assert status == 0
    assert f"resume auto: going on from {newest[0]}" in printed
    assert f"epoch[{last - 1}], iter[{4 * last - 1}]" in printed
    assert printed.count("mean_fps") == 1
    assert f"epoch[{last - 1}], iter[{4 * last - 1}]" in again.log(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_ranks_at_one_step(number: signal.Signals, colors: Path, tmp_path: Path) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *launched.endless(colors), "--is_save_on_master", "0")
    job.wait_for("epoch[1]")
    job.process.send_signal(number)
    status, printed = job.finish()
    assert status == 128 + number
    assert f"launch: asked to stop by {number.name}" in printed
    steps = [re.findall(r"stopped at step (\d+): saved", job.log(rank)) for rank in (0, 1)]
    assert len(steps[0]) == 1
    assert steps[0] == steps[1]
    saved = [re.findall(r"saved (output/.*/\d-\d+_\d+\.ckpt)\n", job.log(rank)) for rank in (0, 1)]
    for rank in (0, 1):
        assert len(saved[rank]) == 1
        assert (tmp_path / f"train_parallel{rank}" / saved[rank][0]).is_file()


def test_ranks_stop_with_a_checkpoint_when_their_supervisor_is_killed(colors: Path, tmp_path: Path) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *launched.endless(colors))
    job.wait_for("epoch[1]")
    job.process.kill()
    status, _ = job.finish(seconds_to_vanish=60)
    assert status == -signal.SIGKILL
    assert "stopped at step" in job.log(1)
    assert len(list(tmp_path.glob("train_parallel0/output/*/0-*.ckpt"))) == 1


def test_no_process_outlives_a_supervisor_that_is_killed_before_the_ranks_have_joined(
    colors: Path, tmp_path: Path
) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *launched.endless(colors))
    assert processes.wait_until(lambda: bool(list(tmp_path.rglob("rank_1.pid"))), launched.PATIENCE)
    assert processes.is_alive(job.scheduler)
    job.process.kill()
    job.finish(seconds_to_vanish=10)
    assert "epoch[0]" not in job.log()


def test_a_killed_scheduler_ends_the_job_with_a_checkpoint_and_is_named(colors: Path, tmp_path: Path) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *launched.endless(colors))
    job.wait_for("epoch[1]")
    killed = time.monotonic()
    os.kill(job.scheduler, signal.SIGKILL)
    status, printed = job.finish()
    assert time.monotonic() - killed < 20
    assert status == 128 + signal.SIGKILL
    assert "launch: the scheduler failed first, ended by SIGKILL" in printed
    assert "stopped at step" in job.log(0)


def test_a_rank_that_a_signal_has_stopped_ends_the_job_and_is_named(colors: Path, tmp_path: Path) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *launched.endless(colors))
    job.wait_for("epoch[1]")
    stopped = time.monotonic()
    os.kill(job.pid(1), signal.SIGSTOP)
    status, printed = job.finish()
    assert time.monotonic() - stopped < 30
    assert status == HALTED
    assert f"launch: rank 1 stands still, a signal has stopped it: kill -CONT {job.pid(1)}" in printed
    assert "launch: rank 1 failed first, stopped by a signal and not continued" in printed


def test_what_the_ranks_refuse_is_the_status_of_the_job(colors: Path, tmp_path: Path) -> None:
    job = launched.start(tmp_path, "--ranks", 2, "--", *tiny(), "--data_dir", "nowhere")
    status, printed = job.finish()
    assert status == 2
    assert re.search(r"launch: rank [01] failed first, with status 2; the last lines", printed)
    assert f"data_dir is {tmp_path}/nowhere" in printed


def test_one_rank_needs_no_msrun(colors: Path, tmp_path: Path) -> None:
    flags = [*tiny(), *launched.SMALL, "--data_dir", os.path.relpath(colors, tmp_path), "--max_epoch", "1"]
    done = launched.run(
        [*launched.LAUNCH, "train", "--devices", 5, "--rank_folder", "train", "--done_line", "well", "--", *flags],
        tmp_path,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert done.stdout.endswith("s\nwell\n")
    environment = (tmp_path / "train" / "env.log").read_text()
    assert (tmp_path / "train" / "env.log").stat().st_mode & 0o777 == 0o600
    for line in ("DEVICE_ID=5", "RANK_ID=0", "RANK_SIZE=1", "DEVICE_NUM=1", "SERVER_ID=0"):
        assert f"{line}\n" in environment
    assert "tot=13," in (tmp_path / "train" / "log").read_text()
