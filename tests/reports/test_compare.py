"""Comparisons: pairs of evaluations counted by hand, what differs, the tables, the page, its size and its time."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.tests.reports.runs import write_run
from mindzoo.utils.reports import compare, differences, page, pairing, predictions
from mindzoo.utils.reports.keys import CompareConfig
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.reports.reading import read_run


def made(
    said: list[int], sure: list[float], files: str = "abcdef", classes: tuple[str, ...] = ("x", "y")
) -> Predictions:
    """Predictions of images that are all of the class "x"."""
    labels = np.full(len(said), classes.index("x"), np.int32)
    best, shares = np.array(said, np.int32)[:, None], np.array(sure, np.float32)[:, None]
    return Predictions("/data", classes, tuple(f"x/{name}" for name in files), labels, best, shares)


FIRST = made([0, 0, 0, 1, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.95, 0.5])


def test_who_is_right_where_and_the_surest_mistake_first() -> None:
    second = made([0, 1, 1, 0, 0, 1], [0.9, 0.55, 0.85, 0.6, 0.7, 0.5])
    found = pairing.pair(FIRST, second)
    assert found.table == (1, 2, 2, 1)
    assert found.only(0).tolist() == [[2, 2], [1, 1]]
    assert found.only(1).tolist() == [[4, 4], [3, 3]]


def test_hits_by_class() -> None:
    def said(*answers: int) -> Predictions:
        labels = np.array([0, 0, 0, 1, 1, 2], np.int32)
        best, shares = np.array(answers, np.int32)[:, None], np.ones((6, 1), np.float32)
        return Predictions("/data", ("x", "y", "z"), tuple("abcdef"), labels, best, shares)

    assert pairing.pair(said(0, 1, 1, 1, 0, 2), said(0, 0, 0, 0, 0, 2)).by_class() == [(0, 3, 1, 3), (1, 2, 1, 0)]


def test_images_are_found_by_file_and_by_the_names_of_classes() -> None:
    """The second has another order of images and of classes, one image less, one more, and one of another class."""
    second = made([1, 0, 1, 1], [0.9] * 4, files="dbaz", classes=("y", "x"))
    assert pairing.pair(FIRST, second).places.tolist() == [[0, 2], [1, 1], [3, 0]]
    second.labels[1] = 0
    found = pairing.pair(FIRST, second)
    assert found.places.tolist() == [[0, 2], [3, 0]]
    assert differences.common(found) == (
        "Images that both have: 2. Left out: 3 that only the first has, and 1 that only the second has. "
        "Left out as well: 1 file whose class has another name in the second."
    )


def test_nothing_in_common_is_said() -> None:
    found = pairing.pair(FIRST, made([0], [1.0], files="z"))
    assert (len(found), found.table) == (0, (0, 0, 0, 0))
    assert differences.common(found).startswith("They have no image in common")


@pytest.mark.parametrize(
    ("only_first", "only_second", "p", "is_exact"),
    [
        (0, 0, 1.0, True),
        (1, 0, 1.0, True),  # 2 * 1/2
        (6, 0, 2 / 2**6, True),
        (2, 8, 2 * (1 + 10 + 45) / 2**10, True),
        (5, 5, 1.0, True),
        # scipy.stats.binomtest(7, 24).pvalue, scipy.stats.chi2.sf((abs(b - c) - 1) ** 2 / (b + c), 1)
        (7, 17, 0.06391465663909912, True),
        (7, 18, 0.04550026389635857, False),  # chi-square is 4: two standard deviations
        (20, 20, 1.0, False),
        (121, 59, 5.450094825427117e-06, False),
    ],
)
def test_mcnemar(only_first: int, only_second: int, p: float, is_exact: bool) -> None:
    for found in (pairing.mcnemar(only_first, only_second), pairing.mcnemar(only_second, only_first)):
        assert found.p == pytest.approx(p, rel=1e-9)
        assert found.is_exact == is_exact


def test_what_differs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name)
    (tmp_path / "b" / "config.yaml").write_text("lr: 0.1\nimage_size: [224, 224]\nema: true\n")
    with (tmp_path / "b" / "metrics.jsonl").open("a") as file:  # the checkpoint brought its own size
        counts = {"top1": 70, "top5": 70, "total": 70, "preprocessing": {"image_size": [64, 32]}}
        file.write(json.dumps({"kind": "evaluation", "checkpoint": "/x/best.ckpt", **counts}))
    (tmp_path / "b" / "environment.json").write_text(
        json.dumps({"network": "tiny_net", "python": "3.12", "command": []})
    )
    runs = [read_run(tmp_path / name) for name in ("a", "b")]
    assert differences.settings(runs) == [("image_size", ["32, 32", "64, 32"])]
    assert differences.only_some(runs) == [("note", ["<i>", "-"]), ("ema", ["-", "True"])]
    assert [row.name for row in differences.environments(runs)] == ["python", "evaluated images"]
    assert differences.results(runs, ["a", "b"])[1][:10] == [
        "b", "tiny_net", "100.00%", "70", "70", "-", "-", "-", "best.ckpt", "top-1",
    ]  # fmt: skip


def test_the_command_says_it_and_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, wrong in (("a", 4), ("b", 3), ("other", 3)):
        write_run(tmp_path / name, wrong=wrong)
    (tmp_path / "other" / "predictions.jsonl").unlink()
    assert cli.main(["compare", *(str(tmp_path / name) for name in ("a", "b", "other"))]) == 0
    said = capsys.readouterr().out
    assert "other: there is no predictions.jsonl" in said
    assert "both right 34, only a 18, only b 12, both wrong 6" in said
    assert "p = 0.36 (chi-square)" in said
    assert "a and other: without the predictions of both" in said
    text = Path("compare.html").read_text()
    assert "There are no predictions of <bdi>other</bdi>" in text
    for words, wanted in (
        ([str(tmp_path / "a")], "two runs or more"),
        ([str(tmp_path / "a"), "none"], "none is missing; wanted the folder of a run"),
        ([str(tmp_path / "a")] * 2 + ["--output", "x.txt"], ".html"),
    ):
        assert cli.main(["compare", *words]) == 2
        assert wanted in capsys.readouterr().err


def test_runs_over_each_other(tmp_path: Path) -> None:
    for name in ("a/run", "b/run"):
        write_run(tmp_path / name)
    (tmp_path / "b" / "run" / "predictions.jsonl").unlink()
    text = page.text([read_run(tmp_path / name / "run") for name in ("a", "b")])
    (data,) = re.findall(r'id="curves">(.*?)</script>', text)
    loss = json.loads(data)[0]
    assert [series["name"] for series in loss["series"]] == [
        "a/run training", "a/run validation", "b/run training", "b/run validation",
    ]  # fmt: skip
    assert loss["columns"][0] == [1, 2, 3]
    assert loss["columns"][1] == [2.5, 1.25, 0.833333]
    assert "there is no predictions.jsonl" in text


def test_pictures_come_from_whichever_folder_has_them(tmp_path: Path) -> None:
    files = write_run(tmp_path / "a", root=tmp_path / "gone").files
    write_run(tmp_path / "b", root=tmp_path / "data", wrong=3)
    picture = tmp_path / "data" / files[4]  # that the first gets wrong, and the second right
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(picture)
    text = page.text([read_run(tmp_path / name) for name in ("a", "b")])
    assert text.count("data:image/jpeg") == 1


def test_a_thousand_classes_and_fifty_thousand_images_of_two(tmp_path: Path) -> None:
    found = write_run(tmp_path / "a", classes=1000, images=50_000, epochs=100)
    write_run(tmp_path / "b", classes=1000, images=70, epochs=100)
    turned = np.arange(len(found))[::-1]
    files = tuple(found.files[place] for place in turned)
    best = (found.best[turned] + turned[:, None] % 2) % 1000
    other = dataclasses.replace(found, files=files, labels=found.labels[turned], best=best)
    predictions.write(tmp_path / "b" / "predictions.jsonl", other)
    counts = {"kind": "evaluation", "epoch": 0, "top1": int(other.hits.sum()), "top5": 50_000, "total": 50_000}
    (tmp_path / "b" / "metrics.jsonl").write_text(json.dumps({**counts, "predictions": "predictions.jsonl"}))
    started = time.perf_counter()
    compare.run(CompareConfig((str(tmp_path / "a"), str(tmp_path / "b")), str(tmp_path / "c.html")))
    assert time.perf_counter() - started < 20
    text = (tmp_path / "c.html").read_text()
    assert len(text.encode()) < 3_000_000
    assert "Images that both have: 50,000." in text
