"""By which number a training's best evaluation is found: what it keeps, when it ends, how it goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained
from mindzoo.tests.training.test_callbacks import STEPS, make_run, names
from mindzoo.tests.training.test_hit_counter import data_of, network_of
from mindzoo.utils import log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.runtime import World
from mindzoo.utils.scores.by_class import ClassCounts
from mindzoo.utils.training import class_scores, starting_point
from mindzoo.utils.training.callbacks.evaluation import Evaluation, count_for_patience
from mindzoo.utils.training.callbacks.saving import Checkpoints
from mindzoo.utils.training.hit_counter import HitCounter


def test_the_best_and_what_it_is_best_by_are_kept(
    tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "out", metric="loss", max_steps=99)
    callback = Evaluation(HitCounter(network_of(3), 3, World()), data_of(colors / "val", 13), Checkpoints())
    run.epoch_step = STEPS
    callback.on_epoch_end(run)
    assert run.best is not None
    assert run.evaluation is not None
    loss, accuracy = run.evaluation["loss"], run.evaluation["accuracy"]
    best = {"accuracy": accuracy, "metric": "loss", "value": loss, "epoch": 1, "step": STEPS}
    assert (run.best, run.to_beat, run.waited) == (best, loss, 0)
    assert names(run.folder.path) == ["best.ckpt"]
    meta = checkpoint_file.read_checkpoint(run.folder.path / "best.ckpt", SPEC).meta
    assert meta["evaluation"] == run.evaluation
    by_class = callback.evaluator.by_class
    rows = (run.folder.path / "class_scores.csv").read_text().splitlines()
    assert rows[0] == "class,images,hits,predicted,recall,precision,f1"
    assert [row.split(",")[:4] for row in rows[1:]] == [
        [name, *map(str, counts)]
        for name, *counts in zip(
            ("blue", "green", "red"), by_class.images, by_class.hits, by_class.said, strict=True
        )
    ]  # fmt: skip
    assert "after allreduce eval: top5_correct=13, tot=13, acc=100.00%\n" in (out := capsys.readouterr().out)
    assert f"over 3 classes: balanced accuracy {by_class.balanced_accuracy:.4f}, macro F1" in out.split("top5")[1]
    for factor, epoch in ((0.5, 1), (2.0, 2)):  # of the loss that there is to beat: better, and worse
        run.best = {**best, "value": factor * loss}
        run.epoch += 1
        callback.on_epoch_end(run)
        assert run.best["epoch"] == (1 if epoch == 1 else 3)


@pytest.mark.parametrize(
    ("metric", "values", "waited"),
    [("loss", [2.0, 1.95, 1.85, 1.8, 1.7], [0, 1, 0, 1, 0]), ("macro_f1", [0.0, 0.05, 0.15], [0, 1, 0])],
)
def test_patience_counts_by_the_metric(tmp_path: Path, metric: str, values: list[float], waited: list[int]) -> None:
    run, found = make_run(tmp_path / "out", metric=metric, patience=9, min_delta=0.1), []
    for value in values:
        count_for_patience(run, value)
        found.append(run.waited)
    assert found == waited


LOSS_BEST = {"accuracy": 0.5, "metric": "loss", "value": 1.0, "epoch": 1, "step": 6}


def told(trained: Trained, beside: dict[str, Any] | None, folder: Path, **meta: Any) -> Checkpoint:
    """A checkpoint of a run by loss, and best.ckpt in its folder."""
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    config = {**found.meta["config"], "metric": "loss"}
    facts = {**found.meta, "config": config, "best": LOSS_BEST, "waited": 2, "to_beat": 1.0, **meta}
    if beside:
        weights = {name: np.zeros(1, np.float32) for name in ("a",)}
        checkpoint_file.save_checkpoint(folder / "best.ckpt", _parameters(weights), {**facts, "best": beside})
    return dataclasses.replace(found, path=folder / trained.checkpoint.name, meta=facts)


def _parameters(values: dict[str, np.ndarray]) -> dict[str, Any]:
    from mindspore import Parameter, Tensor

    return {name: Parameter(Tensor(value)) for name, value in values.items()}


def test_a_run_goes_on_with_the_best_of_its_metric(
    tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    lower = {**LOSS_BEST, "value": 0.75, "epoch": 2}
    higher = {**LOSS_BEST, "value": 1.25, "accuracy": 1.0}
    for beside, wanted in ((None, LOSS_BEST), (lower, lower), (higher, LOSS_BEST)):
        found = told(trained, beside, tmp_path)
        counts = starting_point.counts_of(found, SPEC, "loss", in_its_folder=True)
        assert (counts["best"], counts["waited"], counts["to_beat"]) == (wanted, 2, 1.0)
    assert "resume:" not in capsys.readouterr().out


def test_a_run_that_goes_on_by_another_metric_begins_to_compare_anew(
    tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    counts = starting_point.counts_of(told(trained, LOSS_BEST, tmp_path), SPEC, "balanced", in_its_folder=True)
    assert counts["best"] is None
    assert not {"waited", "to_beat"} & set(counts)
    assert "metric was loss and is balanced; the next evaluation is the best so far" in capsys.readouterr().out


def test_a_spreadsheet_takes_no_class_for_a_formula(tmp_path: Path) -> None:
    counts = ClassCounts(np.array([2, 0, 1]), np.array([1, 0, 0]), np.array([1, 1, 1]))
    class_scores.write(tmp_path / "scores.csv", counts, ["=1+1", 'a,"b"\n<i>\udcff'])
    text = (tmp_path / "scores.csv").read_text(errors="surrogateescape")
    assert text.splitlines()[1] == "'=1+1,2,1,1,0.500000,1.000000,0.666667"
    assert '"a,""b""\n<i>\udcff",0,0,1,,0.000000,\n' in text
    assert text.endswith("2,1,0,1,0.000000,0.000000,0.000000\n")
