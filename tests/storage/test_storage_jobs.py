"""Trainings whose data and results are in buckets: how they begin, go on and end."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.object_storage import ENDPOINTS, Server, server_fixture, start_moto  # noqa: F401 - the fixture `server`
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained, training
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file


def flags(server: Server, *more: str) -> list[str]:
    """Of a training whose data and results are in the bucket."""
    words = training(Path("data"), Path("out"), *more)
    for name, place in (("--data_dir", "colors"), ("--output_dir", "out")):
        where = words.index(name)
        words[where : where + 2] = [name.replace("dir", "url"), f"s3://{server.bucket}/{place}"]
    return [word.replace("--output_url", "--train_url") for word in words]


def train(server: Server, *more: str) -> int:
    gc.collect()  # a cell that is collected after another was compiled makes MindSpore compile it again
    return commands.train(SPEC, flags(server, *more))


@pytest.fixture
def with_data(server: Server, colors: Path) -> Server:
    """The bucket with a data set in it."""
    server.put_folder(colors / "train", "colors")
    return server


def numbered(server: Server) -> list[str]:
    """The numbered checkpoints of the results, by run and name."""
    return [name for name in server.names("out/") if name.endswith(".ckpt") and not name.endswith("/last.ckpt")]


@pytest.mark.slow
def test_a_stopped_job_is_in_the_bucket_and_goes_on_from_there_on_another_machine(
    with_data: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, str(ROOT / "models/densenet121/train.py"), *flags(with_data, "--max_epoch", "5000")]
    environment = {**os.environ, "PYTHONPATH": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        next(line for line in job.stdout if "epoch[1]" in line)
        job.send_signal(signal.SIGTERM)
        out, error = job.communicate(timeout=60)
    assert (job.returncode, error) == (128 + signal.SIGTERM, "")
    assert f"the results are in s3://{with_data.bucket}/out/" in out
    (saved,) = numbered(with_data)
    run = saved.split("/")[0]
    shutil.rmtree(tmp_path / "cache")

    (tmp_path / "first.ckpt").write_bytes(with_data.read(f"out/{saved}"))
    step = checkpoint_file.read_checkpoint(tmp_path / "first.ckpt", SPEC).meta["step"]
    assert train(with_data, "--max_epoch", "5000", "--max_steps", str(step + 2), "--resume", "auto") == 0
    out = capsys.readouterr().out
    assert "resume auto: going on from" in out
    found = numbered(with_data)
    assert len(found) == 2
    assert {name.split("/")[0] for name in found} == {run}
    (newest,) = set(found) - {saved}
    (tmp_path / "second.ckpt").write_bytes(with_data.read(f"out/{newest}"))
    assert checkpoint_file.read_checkpoint(tmp_path / "second.ckpt", SPEC).meta["step"] == step + 2


@pytest.mark.slow
def test_a_bucket_that_goes_away_does_not_stop_the_training(
    with_data: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mindzoo.utils.storage.upload.WAITS", (0.1, 0.1))
    moto = start_moto()  # which shows the bucket too: what moto was given is kept in the process
    with_data.environment.update(dict.fromkeys(ENDPOINTS, "http://{}:{}".format(*moto.get_host_and_port())))
    with_data.use(monkeypatch)

    def end_server_after_first_checkpoint() -> None:
        while not any(name.endswith(".ckpt") for name in with_data.names("out/")):
            time.sleep(0.02)
        moto.stop()

    ending = threading.Thread(target=end_server_after_first_checkpoint, daemon=True)
    ending.start()
    assert train(with_data, "--max_epoch", "40", "--save_checkpoint_epochs", "1", "--keep_checkpoint_max", "0") == 0
    ending.join()
    out = capsys.readouterr().out
    assert "epoch[39], iter[239]" in out
    assert "the next checkpoint brings another attempt" in out
    *_, last = [line for line in out.splitlines() if line]
    assert f"not uploaded to s3://{with_data.bucket}/out/" in last
    folder = Path(last.split("; see ")[1])
    assert len(list(folder.glob("0-*.ckpt"))) == 40


def test_a_training_that_fails_leaves_its_results_in_the_bucket(
    with_data: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(with_data, "--lr", "1e30", "--max_epoch", "2", "--ckpt_interval", "1") == 2
    error = capsys.readouterr().err
    assert "the last good checkpoint is " in error
    names = [Path(name) for name in with_data.names("out/")]
    assert {"config.yaml", "environment.json", f"{names[0].parent}_rank_0.log"} <= {path.name for path in names}
    good = Path(error.split("the last good checkpoint is ")[1].split(";")[0]).name
    assert good in {path.name for path in names}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("train_url", "train_url is s3://no-such-bucket/x, where nothing can be written: "),
        ("data_url", "cannot copy s3://no-such-bucket/x to this machine: "),
    ],
)
def test_a_bucket_that_is_missing_is_said_before_anything_is_written(
    with_data: Server, capsys: pytest.CaptureFixture[str], key: str, words: str
) -> None:
    assert train(with_data, f"--{key}", "s3://no-such-bucket/x") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {words}The specified bucket does not exist")
    assert len(error.splitlines()) == 1
    assert with_data.names("out/") == []


def test_an_evaluation_in_the_bucket(with_data: Server, trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    with_data.put("weights/best.ckpt", trained.checkpoint.read_bytes())
    root = f"s3://{with_data.bucket}"
    places = ["--data_url", f"{root}/colors", "--checkpoint_url", f"{root}/weights/best.ckpt"]
    assert commands.evaluate(SPEC, [*places, "--train_url", f"{root}/out", "--device_target", "CPU"]) == 0
    assert "after allreduce eval: top1_correct=36, tot=36, acc=100.00%" in capsys.readouterr().out
    assert {Path(name).name for name in with_data.names("out/")} >= {"metrics.jsonl", "config.yaml"}
