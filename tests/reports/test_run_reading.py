"""What is read of a run folder, whole or damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mindzoo.tests.reports.runs import write_run
from mindzoo.utils.errors import UserError
from mindzoo.utils.reports import differences, page
from mindzoo.utils.reports.reading import read_run


def test_a_whole_run(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert (run.name, len(run.epochs), len(run.evaluations), run.notes) == ("run", 3, 3, [])
    assert run.settings["image_size"] == [32, 32]
    assert run.predictions is not None
    assert run.predicted is not None
    assert run.predicted["epoch"] == 2


def test_lines_that_were_cut_off_are_left_out_and_newer_facts_win(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('[1]\n{"kind": "evaluation", "top1": 1, "total": 0}\n{"kind": "epoch", "epo')
    (folder / "config_2.yaml").write_text("lr: 0.2\n")
    run = read_run(folder)
    assert (len(run.epochs), len(run.evaluations), run.settings) == (3, 3, {"lr": 0.2})
    assert run.notes == ["3 lines of metrics.jsonl cannot be read: left out"]


def test_predictions_of_another_evaluation_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder)
    *rows, last = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    lines = [json.dumps(row) for row in [*rows, {**last, "top1": last["top1"] + 1}]]
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    run = read_run(folder)
    assert run.predictions is None
    assert run.notes == ["predictions.jsonl is of another evaluation than the best one in metrics.jsonl: left out"]


@pytest.mark.parametrize(
    ("metric", "epoch", "title"),
    [("loss", 1, "loss"), ("balanced", 2, "balanced accuracy"), ("<script>", 0, "top-1"), ("[1, 2]", 0, "top-1")],
)
def test_the_best_is_found_by_the_metric_of_the_settings(tmp_path: Path, metric: str, epoch: int, title: str) -> None:
    """Top-1 is the same in all; older lines do not say the mean over classes."""
    folder = tmp_path / "run"
    write_run(folder)
    (folder / "config.yaml").write_text(f"metric: {metric!r}\n" if metric[0] == "<" else f"metric: {metric}\n")
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    rows[3] |= {"loss": 1.5, "balanced_accuracy": 0.4, "macro_f1": 0.3, "calibration_error": 0.1}
    rows[5] |= {"balanced_accuracy": 0.5}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(folder)
    assert run.best is not None
    assert (run.best["epoch"], run.metric.title) == (epoch, title)
    text = page.text([run])
    assert ("best by" in text) == (title != "top-1")
    assert "<script>'" not in text
    for words in ("Balanced accuracy", "Means over the classes", "Expected calibration error", "Precision"):
        assert words in text
    cells = differences.results([run], ["a"])[0]
    assert cells[-1 - 4] == title
    assert ("50.00%" in cells) == (metric == "balanced")


def test_a_name_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder)
    (folder / "predictions.jsonl").rename(tmp_path / "predictions.jsonl")
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text.replace('"predictions.jsonl"', '"../predictions.jsonl"'))
    assert read_run(folder).predictions is None


def test_damaged_files_become_notes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder)
    for name in ("config.yaml", "environment.json", "predictions.jsonl"):
        (folder / name).write_text("{")
    run = read_run(folder)
    assert (run.settings, run.environment, run.predictions) == ({}, {}, None)
    assert len(run.notes) == 3


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "epoch", "epoch": 1, "seconds": 1e300, "lr": HUGE, "mean_loss": true}',
        '{"kind": "epoch", "epoch": HUGE, "lr": 1}',
        '{"kind": "epoch", "epoch": -5, "lr": 1}',
        '{"kind": "evaluation", "top1": HUGE, "top5": 1, "total": 2}',
        '{"kind": "evaluation", "epoch": null, "top1": 1, "top5": 1, "total": 2}',
        '{"kind": "evaluation", "top1": 3, "top5": 1, "total": 2}',
        '{"kind": "evaluation", "top1": 2, "top5": 2, "total": 2, "predictions": "a\\u0000b"}',
        '{"kind": "evaluation", "top1": 2, "top5": 2, "total": 2, "predictions": "LONG"}',
    ],
)
def test_a_line_that_nobody_measured_does_not_stop_a_report(tmp_path: Path, line: str) -> None:
    write_run(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write(line.replace("HUGE", "9" * 400).replace("LONG", "x" * 5000))
    run = read_run(tmp_path / "run")
    assert "99999" not in page.text([run]) + page.text([run, run])
    assert run.predictions is not None


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing; wanted the folder of a run"):
        read_run(tmp_path / "none")
    write_run(tmp_path / "output" / "first")
    with pytest.raises(UserError, match=r"output is not the folder of a run.*the runs in it are first: name one"):
        read_run(tmp_path / "output")
