"""What of a training comes to the trackers, and metrics.csv, also where the run goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.utils import log
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.runtime import World
from mindzoo.utils.trackers.several import Several
from mindzoo.utils.training import run_folder
from mindzoo.utils.training.callbacks.epoch_line import EpochLine
from mindzoo.utils.training.callbacks.tracking import Tracking, of_row
from mindzoo.utils.training.state import RunState

STEPS = 4


class Kept:
    """A tracker that keeps what it gets, as one that shows it: what is done again is taken back."""

    points: dict[str, dict[int, float]] = {}
    began: list[int] = []

    def __init__(self, folder: Path) -> None:
        pass

    def start(self, settings: Mapping[str, Any], step: int) -> None:
        assert settings["batch_size"] == 6
        assert isinstance(settings["mean"], list)
        self.began.append(step)
        for values in self.points.values():
            for later in [other for other in values if other >= step]:
                del values[later]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            assert step not in self.points.setdefault(name, {}), f"{name} of step {step} twice"
            self.points[name][step] = value

    def finish(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    Kept.points, Kept.began = {}, []


def go_on(folder: Path, step: int, until: int, *, evaluates: bool = True) -> None:
    """A run of steps that compute nothing, from the state that a checkpoint of `step` has; it ends without a word."""
    config = DenseNetTrainConfig(max_epoch=3, batch_size=6, log_interval=2)
    made = run_folder.create(str(folder), dated=False, world=World())
    epoch, epoch_step = divmod(max(step - 1, 0), STEPS)
    run = RunState(
        SPEC, config, World(), made, cast("TrainStep", None), np.linspace(0.1, 0.05, 12), STEPS, {}, log.start(),
        epoch=epoch, epoch_step=epoch_step + (step > 0),
    )  # fmt: skip
    if step:
        made.take_history(folder, step)
    listed = [EpochLine(), Tracking(run, Several({"kept": Kept}, folder))]
    if run.epoch_step == STEPS:
        listed[1].on_resume(run)
    while run.step < until:
        run.begin_epoch()
        while run.epoch_step < STEPS and run.step < until:
            run.advance_block(np.array([run.step + 1], np.float32))
            for callback in listed:
                callback.on_step(run)
        if run.epoch_step == STEPS:
            listed[0].on_epoch_end(run)
            if evaluates:
                made.add_metrics(kind="evaluation", epoch=run.epoch, step=run.step, top1=3, top5=4, total=6, loss=0.5)
            listed[1].on_epoch_end(run)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_value_comes_once(tmp_path: Path) -> None:
    """The run dies at step 11 and goes on from step 5, then from the end of its second epoch."""
    for step, until in ((0, 11), (5, 8), (8, 12)):
        go_on(tmp_path / "out", step, until)
    assert Kept.began == [0, 6, 8]
    assert Kept.points["train/loss"] == {step: float(step) for step in (2, 4, 6, 8, 10, 12)}
    assert Kept.points["epoch/mean_loss"].keys() == {4, 8, 12}
    assert Kept.points["evaluation/top1"] == dict.fromkeys((4, 8, 12), 0.5)
    assert Kept.points["evaluation/top5"][12] == pytest.approx(4 / 6)
    assert Kept.points["train/lr"][12] == pytest.approx(0.05)
    assert 0 <= Kept.points["train/waiting_share"][6] <= 1
    assert Kept.points["train/images_per_second"].keys() == Kept.points["train/loss"].keys()


def test_an_epoch_that_no_tracker_was_told_of_is_told_when_the_run_goes_on(tmp_path: Path) -> None:
    go_on(tmp_path / "out", 0, 3)
    with (tmp_path / "out" / "metrics.jsonl").open("w") as file:  # it died after these, and after its checkpoint
        for row in ({"kind": "epoch", "loss": 4.0}, {"kind": "evaluation", "top1": 6, "top5": 6, "total": 6}):
            file.write(json.dumps({"epoch": 0, "step": 4, **row}) + "\n")
    go_on(tmp_path / "out", 4, 5)
    assert Kept.points["evaluation/top1"] == {4: 1.0}
    assert Kept.points["train/loss"] == {2: 2.0, 4: 4.0}


def test_the_table_says_what_the_lines_say(tmp_path: Path) -> None:
    go_on(tmp_path / "out", 0, 8)
    first, second = table(tmp_path / "out")
    assert (first["epoch"], first["step"], first["mean_loss"], first["eval_top1"]) == ("0", "4", "2.5", "3")
    assert (second["epoch"], second["loss"], second["eval_loss"], second["eval_k"]) == ("1", "8.0", "0.5", "")
    go_on(tmp_path / "out", 5, 5)  # goes on before the second epoch's end: at once there is one row again
    assert [row["epoch"] for row in table(tmp_path / "out")] == ["0"]
    go_on(tmp_path / "out", 5, 12, evaluates=False)
    assert [(row["epoch"], row["eval_top1"]) for row in table(tmp_path / "out")] == [("0", "3"), ("1", ""), ("2", "")]


def test_a_table_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / "metrics.csv").mkdir(parents=True)
    go_on(tmp_path / "out", 0, 4)
    assert "metrics.csv: Is a directory; metrics.jsonl has the values" in capsys.readouterr().out
    assert (tmp_path / "out" / "metrics.jsonl").read_text().count("\n") == 2


def test_lines_that_came_from_elsewhere_harm_nothing() -> None:
    assert of_row({"kind": "evaluation", "top1": 1, "total": 0})["evaluation/top1"] != 0
    assert set(map(str, of_row({"kind": "epoch", "loss": "<b>", "data_seconds": 1}).values())) == {"nan"}
