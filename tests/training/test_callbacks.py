"""What happens beside the steps: names and intervals of checkpoints, progress, evaluation, averaged weights."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.data import class_folders as folders
from mindzoo.utils.data import transforms
from mindzoo.utils.data.loader import Data, EvalData, TrainData
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.runtime import World
from mindzoo.utils.training import run_folder, starting_point, trainer
from mindzoo.utils.training.callbacks.epoch_line import EpochLine
from mindzoo.utils.training.callbacks.evaluation import Evaluation, averaged_weights
from mindzoo.utils.training.callbacks.progress_line import ProgressLine
from mindzoo.utils.training.callbacks.saving import Checkpoints
from mindzoo.utils.training.hit_counter import HitCounter
from mindzoo.utils.training.state import RunState

STEPS = 4


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def make_run(folder: Path, *, ema_decay: float = 0.0, world: World | None = None, **settings: Any) -> RunState:
    """A run of three epochs of four steps that computes nothing by itself."""
    world = world or World()
    progress = log.start()
    config = DenseNetTrainConfig(max_epoch=3, batch_size=6, **settings)
    network = SPEC.build(3, block_config=(1, 1), growth_rate=4, init_features=8)
    rates = np.linspace(0.1, 0.05, 12)
    optimizer = optimizers.create("momentum", network, rates, momentum=0.9, weight_decay=0.0)
    step = TrainStep(network, SmoothedCrossEntropy(3), optimizer, ema_decay=ema_decay)
    made = run_folder.create(str(folder), dated=False, world=world)
    meta = {"network": SPEC.name, "options": {}, "classes": ["blue", "green", "red"], "num_classes": 3}
    return RunState(SPEC, config, world, made, step, rates, STEPS, meta, progress)


def advance(run: RunState, loss: float = 1.0) -> None:
    run.advance(ms.Tensor(loss, ms.float32))


def names(folder: Path) -> list[str]:
    """All but last.ckpt, which is always there."""
    return sorted(path.name for path in folder.glob("*.ckpt") if path.name != "last.ckpt")


def play(run: RunState, saver: Checkpoints, *, steps: int = 12, other: Path | None = None) -> list[list[str]]:
    """The checkpoints that are there after each step."""
    seen = []
    for _ in range(steps):
        advance(run)
        saver.on_step(run)
        if run.epoch_step == STEPS:
            saver.on_epoch_end(run)
            if run.step < run.last_step:
                run.epoch, run.epoch_step = run.epoch + 1, 0
        seen.append(names(run.folder.path))
    saver.on_end(run)
    return seen


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"ckpt_interval": 0}, ["0-3_4.ckpt"]),
        ({"ckpt_interval": 5}, ["0-2_1.ckpt", "0-3_2.ckpt", "0-3_4.ckpt"]),
        ({"ckpt_interval": 6}, ["0-2_2.ckpt", "0-3_4.ckpt"]),
        ({"ckpt_interval": 0, "save_checkpoint_epochs": 1}, ["0-1_4.ckpt", "0-2_4.ckpt", "0-3_4.ckpt"]),
        ({"ckpt_interval": 0, "save_checkpoint_epochs": 2}, ["0-2_4.ckpt", "0-3_4.ckpt"]),
        ({"ckpt_interval": 3, "save_checkpoint_epochs": 2}, None),
    ],
    ids=str,
)
def test_names_and_intervals(tmp_path: Path, settings: dict[str, Any], wanted: list[str] | None) -> None:
    run = make_run(tmp_path / "out", **settings)
    play(run, Checkpoints())
    wanted = wanted or ["0-1_3.ckpt", "0-2_2.ckpt", "0-2_4.ckpt", "0-3_1.ckpt", "0-3_4.ckpt"]
    assert names(run.folder.path) == wanted
    assert run.saved == str(run.folder.path / "0-3_4.ckpt")
    meta = checkpoint_file.read_checkpoint(run.folder.path / wanted[0], SPEC).meta
    epoch, step = (int(part) for part in wanted[0][2:-5].split("_"))
    assert (meta["epoch"], meta["epoch_step"], meta["step"]) == (epoch - 1, step, (epoch - 1) * STEPS + step)
    assert meta["steps_per_epoch"] == STEPS


def test_the_last_step_is_saved_where_a_run_ends_early(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", ckpt_interval=0)
    play(run, Checkpoints(), steps=6)
    assert names(run.folder.path) == ["0-2_2.ckpt"]


def test_only_the_oldest_numbered_ones_go_also_of_before_a_resume(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", ckpt_interval=1, keep_checkpoint_max=2)
    others = {"best.ckpt", "mine.ckpt", "1-0_1.ckpt"}  # the last one is of another rank
    for name in ("0-0_2.ckpt", "0-0_10.ckpt", "0-0_9.ckpt", *others):
        (run.folder.path / name).write_text("of before")
    seen = play(run, Checkpoints(starting_point.written_by(SPEC, run.config, 0, run.folder.path)))
    assert all(others <= set(now) for now in seen)
    assert set(seen[0]) - others == {"0-0_10.ckpt", "0-1_1.ckpt"}
    assert set(seen[-1]) - others == {"0-3_3.ckpt", "0-3_4.ckpt"}


def test_zero_keeps_all(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", ckpt_interval=1, keep_checkpoint_max=0)
    assert len(play(run, Checkpoints())[-1]) == 12


def test_steps_that_the_device_does_by_itself_count(tmp_path: Path) -> None:
    run, saver = make_run(tmp_path / "out", ckpt_interval=3), Checkpoints()
    for _ in range(3):
        run.advance_block(np.ones(STEPS, np.float32))
        saver.on_step(run)
        saver.on_epoch_end(run)
        if run.step < run.last_step:
            run.epoch, run.epoch_step = run.epoch + 1, 0
    assert names(run.folder.path) == ["0-1_4.ckpt", "0-2_4.ckpt", "0-3_4.ckpt"]


@pytest.mark.parametrize(("on_master", "wanted"), [(True, []), (False, ["1-3_4.ckpt"])])
def test_other_ranks_save_where_they_are_told_to(tmp_path: Path, on_master: bool, wanted: list[str]) -> None:
    run = make_run(tmp_path / "out", world=World(1, 2), ckpt_interval=0, is_save_on_master=on_master)
    play(run, Checkpoints())
    assert names(run.folder.path) == wanted


def test_a_loss_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    run, saver = make_run(tmp_path / "out", ckpt_interval=1), Checkpoints()
    advance(run)
    saver.on_step(run)
    advance(run, float("nan"))
    with pytest.raises(UserError, match=r"the loss is nan at step 2 \(epoch 1\).*0-1_1\.ckpt"):
        saver.on_step(run)
    assert names(run.folder.path) == ["0-1_1.ckpt"]


def test_progress_lines_come_at_the_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, line = make_run(tmp_path / "out", log_interval=3), ProgressLine()
    for _ in range(2):
        for _ in range(STEPS):
            advance(run, 2.5)
            line.on_step(run)
        run.epoch, run.epoch_step = run.epoch + 1, 0
    text = capsys.readouterr().out
    shown = [row.split(" loss")[0] for row in text.splitlines()]
    assert shown == ["epoch 1/3 step 1/4", "epoch 1/3 step 3/4", "epoch 2/3 step 2/4"]
    assert " loss 2.5000 lr 0.0909 " in text
    for words in ("img/s", "data 0.0s (0%)", "ETA 0:00:00"):
        assert words in text


def test_a_terminal_has_one_line_that_is_taken_away(tmp_path: Path) -> None:
    run, stream = make_run(tmp_path / "out"), Terminal()
    run.progress = ProgressDisplay(stream)
    line = ProgressLine()
    for loss in (1.25, 1.5):
        advance(run, loss)
    line.on_step(run)
    assert stream.getvalue().startswith("\repoch 1/3 step 2/4 loss 1.5000")
    assert "\n" not in stream.getvalue()
    shown = len(stream.getvalue()) - 1
    line.on_epoch_end(run)
    assert stream.getvalue().endswith("\r" + " " * shown + "\r")


def test_the_epoch_line_and_its_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "out")
    for loss in (4.0, 3.0, 2.0, 1.0):
        advance(run, loss)
    run.read_loss()
    EpochLine().on_epoch_end(run)
    assert "epoch[0], iter[3], loss:1.0, mean_fps:" in capsys.readouterr().out
    row = json.loads((run.folder.path / "metrics.jsonl").read_text())
    assert (row["kind"], row["epoch"], row["step"], row["steps_in_epoch"]) == ("epoch", 0, 4, 4)
    assert (row["loss"], row["mean_loss"]) == (1.0, 2.5)
    assert row["lr"] == pytest.approx(run.rates[3])


def load_colors(run: RunState, trained: Trained, *, averaged: bool) -> None:
    """Weights that classify every image right, as the raw or as the averaged ones; the others are noise."""
    good = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).averaged
    random = np.random.default_rng(0)
    step = run.train_step
    for cell, is_good in ((step.weights, not averaged), (step.shadow, averaged)):
        for parameter in cell:
            value = good[parameter.name.removeprefix("ema.")]
            noise = np.abs(random.normal(0, 1, value.shape)).astype(np.float32)
            parameter.set_data(ms.Tensor(value if is_good else noise))


def test_evaluation_uses_the_averaged_weights_and_keeps_the_best(tmp_path: Path, trained: Trained) -> None:
    run, saver = make_run(tmp_path / "out", ema_decay=0.5), Checkpoints()
    scanned = folders.scan(trained.data / "val")
    how = transforms.Preprocessing.from_dict(
        checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).meta["preprocessing"]
    )
    data = EvalData(scanned, transforms.evaluation_operations(how), batch_size=13, world=World(), workers=1)
    callback = Evaluation(HitCounter(run.train_step.network, 3, World()), data, saver)
    accuracies, best = [], []
    for averaged in (False, True, False):
        load_colors(run, trained, averaged=averaged)
        before = [weight.asnumpy().copy() for weight in run.train_step.weights]
        for _ in range(STEPS):
            advance(run)
        callback.on_epoch_end(run)
        for weight, value in zip(run.train_step.weights, before, strict=True):
            np.testing.assert_array_equal(weight.asnumpy(), value)
        assert run.train_step.training
        rows = (run.folder.path / "metrics.jsonl").read_text().splitlines()
        accuracies.append(json.loads(rows[-1])["accuracy"])
        best.append(checkpoint_file.read_checkpoint(run.folder.path / "best.ckpt", SPEC).meta["best"])
        run.epoch, run.epoch_step = run.epoch + 1, 0
    assert accuracies[1] == 1.0
    assert accuracies[0] == accuracies[2] < 1.0
    assert [row["epoch"] for row in best] == [1, 2, 2]
    assert best[2] == {"accuracy": 1.0, "metric": "top1", "value": 1.0, "epoch": 2, "step": 8}


@pytest.fixture(scope="module")
def colored(trained: Trained) -> EvalData:
    """The images that the small network is evaluated on."""
    how = transforms.Preprocessing.from_dict(
        checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).meta["preprocessing"]
    )
    operations = transforms.evaluation_operations(how)
    return EvalData(folders.scan(trained.data / "val"), operations, batch_size=13, world=World(), workers=1)


@pytest.fixture(scope="module")
def evaluator() -> HitCounter:
    """Of a network that no training changes, so that it is compiled once."""
    return HitCounter(SPEC.build(3, block_config=(1, 1), growth_rate=4, init_features=8), 3, World())


def evaluated_epochs(run: RunState, evaluator: HitCounter, data: EvalData) -> list[int]:
    """The epochs, from 1, after which an evaluation is noted; each has the same result."""
    callback = Evaluation(evaluator, data, Checkpoints())
    for epoch in range(run.config.max_epoch):
        run.epoch, run.epoch_step = epoch, STEPS
        callback.on_epoch_end(run)
    rows = [json.loads(line) for line in (run.folder.path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["total"]) for row in rows] == [(STEPS * (row["epoch"] + 1), 13) for row in rows]
    return [row["epoch"] + 1 for row in rows]


@pytest.mark.parametrize(
    ("start", "interval", "wanted"),
    [(0, 1, [1, 2, 3]), (0, 2, [2, 3]), (1, 1, [2, 3]), (2, 2, [3]), (1, 2, [2, 3]), (9, 1, [3])],
)
def test_evaluation_by_interval_and_after_eval_start_epoch(
    tmp_path: Path, evaluator: HitCounter, colored: EvalData, start: int, interval: int, wanted: list[int]
) -> None:
    """The last epoch is evaluated in any case."""
    run = make_run(tmp_path / "out", eval_start_epoch=start, eval_interval=interval)
    assert evaluated_epochs(run, evaluator, colored) == wanted


@pytest.mark.parametrize(("settings", "wanted"), [({}, ["best.ckpt"]), ({"save_best_ckpt": False}, [])])
def test_the_best_is_kept_unless_it_is_not_wanted(
    tmp_path: Path, evaluator: HitCounter, colored: EvalData, settings: dict[str, Any], wanted: list[str]
) -> None:
    """What was best is known in either case, and so a run that goes on knows it."""
    run = make_run(tmp_path / "out", **settings)
    evaluated_epochs(run, evaluator, colored)
    assert names(run.folder.path) == wanted
    assert run.best is not None
    assert run.best["epoch"] == 1


@pytest.mark.parametrize(("run_eval", "wanted"), [(True, 1), (False, 0)])
def test_run_eval_says_whether_a_training_is_evaluated(
    tmp_path: Path, colored: EvalData, run_eval: bool, wanted: int
) -> None:
    run = make_run(tmp_path / "out", run_eval=run_eval)
    training = TrainData(colored.folders, [], batch_size=6, world=World(), seed=1)
    data = Data(training, colored, ("blue", "green", "red"))
    listed = trainer.callbacks(run, data, run.train_step.network, 3, uploader=None)
    assert sum(isinstance(callback, Evaluation) for callback in listed) == wanted
    assert len(listed) == 5 + wanted


@pytest.mark.parametrize(("interval", "wanted"), [(0, []), (1, [1, 2, 3, 5, 6, 7]), (3, [3, 6]), (4, []), (5, [5, 10])])
def test_epoch_lines_within_an_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interval: int, wanted: list[int]
) -> None:
    """Not at the epoch's end, where there is a line anyway; metrics.jsonl has those of epochs only."""
    run = make_run(tmp_path / "out")
    lines = dataclasses.replace(
        SPEC.lines, epoch=lambda record: [f"step {record.step} loss {record.loss}"], step_interval=lambda _: interval
    )
    run.spec, line = dataclasses.replace(SPEC, lines=lines), EpochLine()
    for step in range(1, 11 if interval == 5 else 9):
        advance(run, float(step))
        line.on_step(run)
        if run.epoch_step == STEPS:
            run.epoch, run.epoch_step = run.epoch + 1, 0
    assert capsys.readouterr().out.splitlines() == [f"step {step} loss {float(step)}" for step in wanted]
    assert not (run.folder.path / "metrics.jsonl").exists()


def test_averaged_weights_are_swapped_in_and_back_also_on_an_error(tmp_path: Path) -> None:
    step = make_run(tmp_path / "out", ema_decay=0.5).train_step
    raw = [weight.asnumpy().copy() for weight in step.weights]
    for average in step.shadow:
        average.set_data(average + 1)

    def fail_inside() -> None:
        with averaged_weights(step):
            for weight, value in zip(step.weights, raw, strict=True):
                np.testing.assert_array_equal(weight.asnumpy(), value + 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    for weight, value in zip(step.weights, raw, strict=True):
        np.testing.assert_array_equal(weight.asnumpy(), value)


def test_without_averages_nothing_is_swapped(tmp_path: Path) -> None:
    step = make_run(tmp_path / "out").train_step
    weight = step.network.trainable_params()[0]
    before = weight.asnumpy().copy()
    with averaged_weights(step):
        np.testing.assert_array_equal(weight.asnumpy(), before)
