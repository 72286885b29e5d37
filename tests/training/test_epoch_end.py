"""What an epoch's end leaves: the evaluation first, then the files, each with the record of its own evaluation."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import KEPT, PLAIN_IMAGES, Trained, newest_run, run_train, training
from mindzoo.tests.training.test_callbacks import make_run
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.training.callbacks.evaluation import count_for_patience


def meta(path: Path) -> dict[str, Any]:
    return checkpoint_file.read_checkpoint(path, SPEC).meta


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in lines if row["kind"] == kind]


def without_kind(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("kind", "predictions")}


@pytest.fixture(scope="module")
def by_steps(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three epochs whose checkpoints, by steps, fall on the ends of epochs too."""
    return run_train(colors, tmp_path_factory.mktemp("by_steps"), "--max_epoch", "3", "--ckpt_interval", "3")


def test_every_file_has_the_record_of_its_own_evaluation(by_steps: Path) -> None:
    evaluations = {row["step"]: without_kind(row) for row in rows(by_steps, "evaluation")}
    assert list(evaluations) == [6, 12, 18]
    for path in by_steps.glob("0-*.ckpt"):
        found = meta(path)
        assert found["evaluation"] == evaluations.get(found["step"]), path.name
        so_far = [row["accuracy"] for step, row in evaluations.items() if step <= found["step"]]
        assert (found["best"] or {}).get("accuracy") == max(so_far, default=None), path.name
    best = meta(by_steps / "best.ckpt")
    assert best["evaluation"]["accuracy"] == best["best"]["accuracy"]
    assert best["evaluation"]["step"] == best["best"]["step"] == best["step"]


def test_eval_of_a_file_gives_what_the_training_said(by_steps: Path, colors: Path, tmp_path: Path) -> None:
    flags = ["--data_dir", str(colors / "val"), "--checkpoint", str(by_steps / "0-2_6.ckpt")]
    where = ["--output_dir", str(tmp_path / "out"), "--device_target", "CPU", "--is_distributed", "0"]
    assert commands.evaluate(SPEC, [*flags, *where]) == 0
    (found,) = [json.loads(line) for line in (newest_run(tmp_path / "out") / "metrics.jsonl").read_text().splitlines()]
    said = meta(by_steps / "0-2_6.ckpt")["evaluation"]
    assert [found[name] for name in ("top1", "top5", "total")] == [said[name] for name in ("top1", "top5", "total")]
    assert found["loss"] == pytest.approx(said["loss"], abs=1e-6)


def test_a_worse_epoch_does_not_replace_a_better_best(by_steps: Path, colors: Path, tmp_path: Path) -> None:
    """The newest file knows of no better evaluation than its own, as one that was written before best.ckpt was."""
    run = tmp_path / "out" / by_steps.name
    run.mkdir(parents=True)
    shutil.copy(by_steps / "0-1_6.ckpt", run)
    found = checkpoint_file.read_checkpoint(by_steps / "0-1_6.ckpt", SPEC)
    parameters = {name: ms.Parameter(ms.Tensor(value)) for name, value in {**found.weights, **found.state}.items()}
    best = {"accuracy": 2.0, "epoch": 1, "step": 3}  # better than anything that may come
    checkpoint_file.save_checkpoint(run / "best.ckpt", parameters, {**found.meta, "best": best})
    before = (run / "best.ckpt").read_bytes()
    run_train(colors, tmp_path / "out", "--max_epoch", "2", "--resume", "auto")
    assert (run / "best.ckpt").read_bytes() == before
    assert meta(run / "0-2_6.ckpt")["best"] == best


def test_an_evaluation_that_is_due_is_made_before_the_run_goes_on(colors: Path, tmp_path: Path) -> None:
    flags = ["--max_epoch", "3", "--save_checkpoint_epochs", "1", "--ckpt_interval", "0"]
    folder = run_train(colors, tmp_path / "out", *flags, "--max_steps", "6", "--run_eval", "false")
    assert meta(folder / "0-1_6.ckpt")["evaluation"] is None
    for last in ("12", "18"):  # the second time it is made already
        assert run_train(colors, tmp_path / "out", *flags, "--max_steps", last, "--resume", "auto") == folder
    assert [row["step"] for row in rows(folder, "evaluation")] == [6, 12, 18]
    assert [row["epoch"] for row in rows(folder, "epoch")] == [0, 1, 2]


def test_metrics_have_each_epoch_once_and_means_over_all_of_it(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The earlier run was killed after it had begun to write of epochs that are done again."""
    flags = ["--max_epoch", "3", "--max_steps", "12", *KEPT, *PLAIN_IMAGES]
    whole = run_train(stopped.data, tmp_path / "whole", *flags)
    run = tmp_path / "out" / stopped.folder.name
    shutil.copytree(stopped.folder, run)
    with (run / "metrics.jsonl").open("a") as file:
        for step in (12, 18):
            file.write(json.dumps({"kind": "epoch", "epoch": step // 6 - 1, "step": step, "mean_loss": 9.0}) + "\n")
        file.write('{"kind": "evaluation", "ep')
    run_train(stopped.data, tmp_path / "out", "--resume", "auto", *flags)
    assert [row["step"] for row in rows(run, "evaluation")] == [6, 12]
    assert [(row["epoch"], row["step"]) for row in rows(run, "epoch")] == [(0, 6), (1, 12)]
    found, wanted = ([row["mean_loss"] for row in rows(folder, "epoch")] for folder in (run, whole))
    assert found == wanted
    tables = [list(csv.DictReader((folder / "metrics.csv").open(newline=""))) for folder in (run, whole)]
    of_time = {"seconds", "images_per_second", "data_seconds", "steps_in_epoch"}
    found, wanted = ([{k: v for k, v in row.items() if k not in of_time} for row in table] for table in tables)
    assert found == wanted


def test_a_training_without_a_better_evaluation_ends(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a learning rate of 0 no evaluation is better than the first one; the run does not go on later either."""
    flags = ["--max_epoch", "9", "--lr", "0", "--patience", "2"]
    folder = run_train(colors, tmp_path / "out", *flags, "--min_delta", "1")
    assert [row["epoch"] for row in rows(folder, "evaluation")] == [0, 1, 2]
    assert "no better evaluation in 2: the training ends; patience is 2" in capsys.readouterr().out
    assert meta(folder / "0-3_6.ckpt")["waited"] == 2
    assert commands.train(SPEC, training(colors, tmp_path / "out", *flags, "--min_delta", "1", "--resume", "auto")) == 0
    assert "nothing to do: 2 evaluations were no better; patience is 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("accuracies", "min_delta", "waited"),
    [
        ([0.5, 0.6, 0.6, 0.5], 0.0, [0, 0, 1, 2]),
        ([0.0, 0.0, 0.1], 0.0, [0, 1, 0]),
        ([0.5, 0.55, 0.61, 0.7], 0.1, [0, 1, 0, 1]),  # steps that are small one by one add up
    ],
)
def test_what_counts_as_better_for_patience(
    tmp_path: Path, accuracies: list[float], min_delta: float, waited: list[int]
) -> None:
    run = make_run(tmp_path / "out", patience=9, min_delta=min_delta)
    found = []
    for accuracy in accuracies:
        count_for_patience(run, accuracy)
        found.append(run.waited)
    assert found == waited
