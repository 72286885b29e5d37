"""Evaluation of checkpoints: which ones, with which classes and preprocessing, and what is said."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import COLORS, Trained, newest_run, write_images
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.inference import evaluate_checkpoints
from mindzoo.utils.reports import predictions


def evaluate(data: Path, source: Path, output: Path, *more: str) -> list[dict[str, Any]]:
    """Evaluate, which must succeed; the rows of metrics.jsonl."""
    gc.collect()  # see run_train
    flags = ["--data_dir", str(data), "--checkpoint", str(source), "--output_dir", str(output)]
    assert commands.evaluate(SPEC, [*flags, "--device_target", "CPU", "--is_distributed", "0", *more]) == 0
    return [json.loads(line) for line in (newest_run(output) / "metrics.jsonl").read_text().splitlines()]


def zoo_file(path: Path, source: Path) -> Path:
    """The averaged weights of `source` as the original zoo wrote them: names and values only."""
    averaged = checkpoint_file.read_checkpoint(source, SPEC).averaged
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in averaged.items()], str(path))
    return path


class Recorded(NamedTuple):
    """One evaluation as the checkpoint says: its row of metrics.jsonl, its run folder and what it showed."""

    row: dict[str, Any]
    folder: Path
    text: str


@pytest.fixture(scope="module")
def recorded(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    output = tmp_path_factory.mktemp("recorded")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        (row,) = evaluate(trained.data, trained.checkpoint, output, "--batch_size", "4")
    return Recorded(row, newest_run(output), shown.getvalue())


def test_one_checkpoint(trained: Trained, recorded: Recorded) -> None:
    row, folder, text = recorded
    assert "after allreduce eval: top1_correct=13, tot=13, acc=100.00%" in text
    assert "after allreduce eval: top5_correct=13, tot=13, acc=100.00%" in text
    assert "averaged weights of origin mindzoo, flavour zoo" in text
    assert (row["top1"], row["total"], row["checkpoint"]) == (13, 13, str(trained.checkpoint))
    before = (trained.folder / "metrics.jsonl").read_text().splitlines()[-1]
    assert row["loss"] == pytest.approx(json.loads(before)["loss"], rel=1e-5)
    assert {path.suffix for path in folder.iterdir()} == {".jsonl", ".yaml", ".json", ".log", ".html", ".csv"}


@pytest.mark.parametrize(
    ("spelling", "flags"),
    [
        ("--eval_data_dir", ["--weights", "raw"]),
        ("--eval_data_path", ["--mean", "0,0,0"]),
        ("--Data_dir", ["--image_size", "48,40"]),
        ("--data_dir", ["--flavour", "paper"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_given_goes_before_what_the_checkpoint_says(
    trained: Trained, recorded: Recorded, tmp_path: Path, spelling: str, flags: list[str]
) -> None:
    """Each with another spelling of the data folder."""
    argv = [spelling, str(trained.data), "--pretrained", str(trained.checkpoint), "--output_dir", str(tmp_path / "out")]
    gc.collect()  # see run_train
    assert commands.evaluate(SPEC, [*argv, "--batch_size", "4", *flags]) == 0
    row = json.loads((newest_run(tmp_path / "out") / "metrics.jsonl").read_text())
    assert row["total"] == 13
    assert row["loss"] != pytest.approx(recorded.row["loss"], rel=1e-3)


def test_a_folder_newest_first_then_the_others(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("0-9_6.ckpt", "0-10_6.ckpt", "best.ckpt", ".0-11_6.99.tmp.ckpt", "notes.txt"):
        shutil.copy(trained.checkpoint, folder / name)
    assert [path.name for path in evaluate_checkpoints.checkpoints_of(SPEC, folder)] == [
        "0-10_6.ckpt",
        "0-9_6.ckpt",
        "best.ckpt",
    ]


def test_every_checkpoint_of_a_folder_has_its_own_result(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = evaluate(trained.data, trained.folder, tmp_path / "out")
    assert [Path(row["checkpoint"]).name for row in rows] == ["0-4_6.ckpt", "0-2_6.ckpt", "best.ckpt"]
    lines = (trained.folder / "metrics.jsonl").read_text().splitlines()
    wanted = [row["loss"] for row in map(json.loads, lines) if row["kind"] == "evaluation"]
    assert rows[0]["loss"] == pytest.approx(wanted[3], rel=1e-5)
    assert rows[1]["loss"] == pytest.approx(wanted[1], rel=1e-5)
    assert capsys.readouterr().out.count("top1_correct=") == 3
    assert [row["predictions"] for row in rows] == ["predictions.jsonl", "predictions_2.jsonl", "predictions_3.jsonl"]
    for row in rows:
        found = predictions.read(newest_run(tmp_path / "out") / row["predictions"])
        assert (found.about["checkpoint"], int(found.hits.sum())) == (row["checkpoint"], row["top1"])


def test_labels_are_those_of_the_training_where_val_lacks_a_class(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.data / "val" / "green", tmp_path / "val" / "green")
    shutil.copytree(trained.data / "val" / "red", tmp_path / "val" / "red")
    (row,) = evaluate(tmp_path / "val", trained.checkpoint, tmp_path / "out")
    assert (row["top1"], row["total"]) == (8, 8)
    assert "lacks 1 of the 3 classes: blue" in capsys.readouterr().out


def test_a_file_of_the_original_zoo(trained: Trained, tmp_path: Path) -> None:
    source = zoo_file(tmp_path / "zoo.ckpt", trained.checkpoint)
    small = ["--block_config", "1,1", "--growth_rate", "4", "--init_features", "8", "--image_size", "32"]
    small += ["--crop_pct", "1"]
    (row,) = evaluate(trained.data, source, tmp_path / "out", *small)
    assert (row["top1"], row["total"], row["k"]) == (13, 13, 3)
    # Without class names the classes are the sorted folders, so a missing folder shifts the labels.
    shutil.copytree(trained.data / "val" / "green", tmp_path / "val" / "green")
    (row,) = evaluate(tmp_path / "val", source, tmp_path / "out2", *small)
    assert row["top1"] == 0


def test_ranks_without_a_launcher_count_the_whole_set(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = evaluate(trained.data, trained.checkpoint, tmp_path / "out", "--rank", "1", "--group_size", "2")
    assert row["total"] == 13
    assert "no effect" in (newest_run(tmp_path / "out") / f"{newest_run(tmp_path / 'out').name}_rank_0.log").read_text()
    assert capsys.readouterr().err == ""


def refused(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: Path, source: Path) -> str:
    argv = ["--data_dir", str(data), "--checkpoint", str(source), "--output_dir", str(tmp_path / "out")]
    assert commands.evaluate(SPEC, argv) == 2
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


def test_a_folder_without_checkpoints_is_refused(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert "holds no checkpoint" in refused(trained, tmp_path, capsys, trained.data, tmp_path / "none")


def test_more_folders_than_outputs_are_refused(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = zoo_file(tmp_path / "zoo.ckpt", trained.checkpoint)
    for name in (*COLORS, "yellow"):
        write_images(tmp_path / "val" / name, (200, 200, 20), 1)
    error = refused(trained, tmp_path, capsys, tmp_path / "val", source)
    assert "4 class folders" in error
    assert "3 classes" in error


def test_a_damaged_file_of_a_folder_is_named_at_the_end_and_the_others_are_evaluated(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(trained.checkpoint, folder / "0-2_6.ckpt")
    (folder / "0-3_6.ckpt").write_bytes(trained.checkpoint.read_bytes()[:3000])
    (folder / "0-1_6.ckpt").write_bytes(b"")
    argv = ["--data_dir", str(trained.data), "--checkpoint", str(folder), "--output_dir", str(tmp_path / "out")]
    assert commands.evaluate(SPEC, argv) == 1
    captured = capsys.readouterr()
    named = [line.split("INFO:")[1] for line in captured.out.splitlines()[-2:]]
    assert named[0].startswith(f"left out: {folder / '0-3_6.ckpt'} is damaged")
    assert named[1].startswith(f"left out: the checkpoint {folder / '0-1_6.ckpt'} is empty")
    assert captured.out.count("top1_correct=") == 1
