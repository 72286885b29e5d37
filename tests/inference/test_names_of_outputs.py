"""Names for a checkpoint that has none: predict, eval and export take them from a file, and agree without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mindzoo.tests.support.retrieval_files import run, save_tiny_checkpoint
from mindzoo.tests.support.trainings import COLORS, newest_run, write_images

COMMON = ["--checkpoint", "t.ckpt", "--device_target", "CPU"]


@pytest.fixture(autouse=True)
def _inputs() -> None:
    """A network that has never learnt, without class names: what counts is which output it takes for which class."""
    save_tiny_checkpoint(Path("t.ckpt"))
    write_images(Path("photos"), COLORS["red"], 1)
    Path("names.txt").write_text("red\ngreen\nblue\n")


def evaluate(*words: str) -> int:
    return run("eval", "densenet121", *COMMON, "--data_dir", "val", "--is_distributed", "0", *words)


def hits(*words: str) -> int:
    assert evaluate("--output_dir", "out", *words) == 0
    row = json.loads((newest_run(Path("out")) / "metrics.jsonl").read_text())
    return int(row["top1"])


def predicted(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The most probable class of the photograph."""
    capsys.readouterr()
    assert run("predict", "densenet121", "photos", *COMMON, "--top_k", "1", *words) == 0
    return capsys.readouterr().out.splitlines()[-1].split(": ")[1].split()[0]


def test_a_file_names_the_outputs_for_predict_eval_and_export(capsys: pytest.CaptureFixture[str]) -> None:
    number = int(predicted(capsys))
    name = predicted(capsys, "--classes", "names.txt")
    assert name == ["red", "green", "blue"][number]
    write_images(Path("val") / name, COLORS["red"], 1)
    assert hits("--classes", "names.txt") == 1
    assert run("export", "densenet121", *COMMON, "--file_name", "net", "--no_verify", "--classes", "names.txt") == 0
    assert json.loads(Path("net.mindir.json").read_text())["classes"] == ["red", "green", "blue"]


def test_numbered_folders_mean_what_predict_says_and_the_guess_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("val") / predicted(capsys), COLORS["red"], 1)
    assert hits() == 1
    said = "t.ckpt has no class names, so their order is a guess: the class folders are taken by the numbers that they"
    assert said in capsys.readouterr().out


def test_a_prediction_by_numbers_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "densenet121", "photos", *COMMON) == 0
    said = "t.ckpt has no class names: the numbers of its outputs stand for them; --classes FILE names them\n"
    assert said in capsys.readouterr().out


def test_raw_weights_have_no_effect_where_there_are_no_averages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "densenet121", "photos", *COMMON, "--weights", "raw") == 0
    assert "weights has no effect: t.ckpt has no averaged ones\n" in capsys.readouterr().out


def test_names_of_the_checkpoint_win_over_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    save_tiny_checkpoint(Path("t.ckpt"), classes=["red", "green", "blue"])
    assert run("predict", "densenet121", "photos", *COMMON, "--classes", "names.txt") == 0
    assert "classes has no effect: t.ckpt has these names itself\n" in capsys.readouterr().out
    Path("names.txt").write_text("a\nb\nc\n")
    assert run("predict", "densenet121", "photos", *COMMON, "--classes", "names.txt") == 2
    said = "error: classes is names.txt, and t.ckpt has other names itself: red, green, blue; leave it out\n"
    assert capsys.readouterr().err == said


def test_the_number_of_classes_has_to_fit_the_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs written for the original eval.py pass it."""
    write_images(Path("val") / "0", COLORS["red"], 1)
    hits("--num_classes", "3")
    capsys.readouterr()
    assert evaluate("--num_classes", "1000") == 2
    said = "error: num_classes is 1000, and t.ckpt has 3 classes; leave it out, or give 3\n"
    assert capsys.readouterr().err == said
