"""Protocols of retrieval against values worked out by hand, and against ranking by brute force."""

from __future__ import annotations

import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import run, write_vectors
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import protocols, ranking
from mindzoo.utils.retrieval.keys import EvaluateRetrievalConfig
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.retrieval.whitening import fit


def evaluate(path: Path, protocol: str, **keys: Any) -> dict[str, Any]:
    return ranking.evaluate(EvaluateRetrievalConfig(vectors=(str(path),), protocol=protocol, **keys))


def on_circle(degrees: Sequence[float]) -> np.ndarray:
    """Vectors whose order around a query is that of the angle between them."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        ([0], 1.0),
        ([1], (0 + 1 / 2) / 2),
        ([0, 1, 2], 1.0),
        ([0, 2], (1 + (1 / 2 + 2 / 3) / 2) / 2),
        ([1, 4], ((0 + 1 / 2) / 2 + (1 / 4 + 2 / 5) / 2) / 2),
        ([9], (0 + 1 / 10) / 2),
    ],
)
def test_average_precision_by_trapezoids_by_hand(places: list[int], wanted: float) -> None:
    assert protocols.average_precision_by_trapezoids(np.array(places)) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("places", "wanted"),
    [([0], 1), ([1], 1 / 2), ([0, 1, 2], 1), ([0, 2], (1 + 2 / 3) / 2), ([1, 4], (1 / 2 + 2 / 5) / 2)],
)
def test_average_precision_by_hand(places: list[int], wanted: float) -> None:
    assert protocols.average_precision(np.array(places)) == pytest.approx(wanted, abs=1e-12)


def test_holidays_by_hand(tmp_path: Path) -> None:
    """The angles of 100001, 100000, 100101, 100100 and 100002, in degrees, are in the first list."""
    names = ["100001.jpg", "100000.jpg", "100101.jpg", "100100.jpg", "100002.jpg"]
    path = write_vectors(tmp_path / "v.npy", on_circle([10, 0, 20, 27, 31]), names)
    result = evaluate(path, "holidays")
    first = (1 + ((1 / 3) + (2 / 4)) / 2) / 2  # places 0 and 3: 100101 and 100100 stand between
    second = (0 + 1 / 2) / 2  # 100002 at 4 degrees, then 100101 at 7
    assert result["queries"] == 2
    assert result["images"] == 5
    assert [value["path"] for value in result["values"]] == ["100000.jpg", "100100.jpg"]
    assert [value["average precision"] for value in result["values"]] == pytest.approx([first, second])
    assert result["means"] == {"average precision": pytest.approx((first + second) / 2)}


def test_ukbench_by_hand(tmp_path: Path) -> None:
    """Rows are out of order, as if images were left out: the number in the name decides."""
    angles = {0: 0, 1: 1, 2: 2, 3: 50, 4: 51, 5: 52, 6: 53, 7: 3.5}
    order = [7, 0, 4, 1, 5, 2, 6, 3]
    names = [f"ukbench{number:05}.jpg" for number in order]
    path = write_vectors(tmp_path / "v.npy", on_circle([angles[number] for number in order]), names)
    result = evaluate(path, "ukbench")
    found = {value["path"]: value["found of 4"] for value in result["values"]}
    # 0, 1, 2 find each other and 7; 3 to 6 stand together, 3 being the odd one; 7 finds 0, 1, 2.
    assert [found[f"ukbench{number:05}.jpg"] for number in range(8)] == [3, 3, 3, 1, 3, 3, 3, 1]
    assert result["means"] == {"found of 4": 20 / 8, "recall at 4": 20 / 32}


def test_folders_by_hand(tmp_path: Path) -> None:
    names = ["a/1.png", "a/2.png", "b/1.png", "b/2.png", "alone/1.png", "nowhere.png", "nowhere2.png"]
    path = write_vectors(tmp_path / "v.npy", on_circle([0, 10, 40, 12, 90, 91, 92]), names)
    result = evaluate(path, "folders")
    by_path = {value.pop("path"): value for value in result["values"]}
    assert by_path["a/1.png"] == {"average precision": 1, "recall at 1": 1}
    assert by_path["a/2.png"] == {"average precision": 1 / 2, "recall at 1": 0}  # b/2 first, then a/1
    assert by_path["b/1.png"] == {"average precision": 1, "recall at 1": 1}
    assert by_path["b/2.png"] == {"average precision": 1 / 3, "recall at 1": 0}  # a/2, a/1, b/1
    assert len(by_path) == 4
    assert result["means"]["recall at 1"] == 0.5


def brute_force(vectors: np.ndarray, names: list[str]) -> float:
    """Holidays' mean average precision, one image at a time in float64, with a loop over the ranking."""
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    numbers = [int(Path(name).stem) for name in names]
    total, queries = 0.0, 0
    for row, number in enumerate(numbers):
        if number % 100:
            continue
        cosines = wide @ wide[row]
        ranking = sorted((other for other in range(len(names)) if other != row), key=lambda other: -cosines[other])
        wanted = {other for other in ranking if numbers[other] // 100 == number // 100}
        area, hits, precision = 0.0, 0, 1.0
        for seen, other in enumerate(ranking, 1):
            if other in wanted:
                before = hits / (seen - 1) if seen > 1 else 1.0
                hits += 1
                precision = hits / seen
                area += (before + precision) / 2 / len(wanted)
        total, queries = total + area, queries + 1
    return total / queries


def test_holidays_against_brute_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", 1000)  # several blocks of queries
    random = np.random.default_rng(7)
    names = [f"{group * 100 + number:06}.jpg" for group in range(1000, 1040) for number in range(random.integers(2, 9))]
    centres = {name[:4]: random.standard_normal(12) for name in names}
    vectors = np.stack([centres[name[:4]] + 1.5 * random.standard_normal(12) for name in names]).astype(np.float32)
    order = random.permutation(len(names))
    vectors, names = vectors[order], [names[row] for row in order]
    result = evaluate(write_vectors(tmp_path / "v.npy", vectors, names), "holidays")
    wanted = brute_force(vectors, names)
    assert result["queries"] == 40
    assert 0.1 < wanted < 0.9
    assert result["means"]["average precision"] == pytest.approx(wanted, abs=1e-9)


def test_folders_against_scikit_learn(tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(3)
    folder = random.integers(0, 12, 90)
    vectors = 2 * np.eye(12)[folder] + random.standard_normal((90, 12))
    names = [f"{label}/{row}.png" for row, label in enumerate(folder)]
    result = evaluate(write_vectors(tmp_path / "v.npy", vectors, names), "folders")
    wide = vectors.astype(np.float32).astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    wanted = []
    for row in range(90):
        others = np.arange(90) != row
        wanted.append(metrics.average_precision_score(folder[others] == folder[row], wide[others] @ wide[row]))
    assert [value["average precision"] for value in result["values"]] == pytest.approx(wanted, abs=1e-9)
    assert 0.2 < result["means"]["average precision"] < 0.8


def test_equal_cosines_are_ordered_by_row(tmp_path: Path) -> None:
    names = ["a/1.png", "b/1.png", "a/2.png", "b/2.png"]
    result = evaluate(write_vectors(tmp_path / "v.npy", np.ones((4, 2)), names), "folders")
    by_path = {value["path"]: value["average precision"] for value in result["values"]}
    # All others are equally near: a/1 sees b/1, a/2, b/2 and b/2 sees a/1, b/1, a/2.
    assert by_path == {"a/1.png": 1 / 2, "b/1.png": 1 / 3, "a/2.png": 1, "b/2.png": 1 / 2}


def test_whitening_changes_the_ranking(tmp_path: Path) -> None:
    """Two directions: one that all vectors share and vary in, and a small one that tells the folders apart."""
    random = np.random.default_rng(0)
    folder = np.arange(40) % 2
    vectors = np.stack([np.ones(40), 0.5 * random.standard_normal(40), 0.01 * (2 * folder - 1)], axis=1)
    path = write_vectors(tmp_path / "v.npy", vectors, [f"{label}/{row}.png" for row, label in enumerate(folder)])
    fit(open_vectors(path)).save(tmp_path / "w.npz")
    plain, whitened = evaluate(path, "folders"), evaluate(path, "folders", whitening=str(tmp_path / "w.npz"))
    assert plain["means"]["recall at 1"] < 0.8
    assert whitened["means"]["recall at 1"] > plain["means"]["recall at 1"] + 0.1
    assert whitened["whitening"] == str(tmp_path / "w.npz")


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_vectors(tmp_path / "v.npy", on_circle([0, 10, 40, 12]), ["a/1.png", "a/2.png", "b/1.png", "b/2.png"])
    assert run("evaluate-retrieval", path, "--output", tmp_path / "r.json") == 0
    mean = (1 + 1 / 2 + 1 + 1 / 3) / 4
    line = f"folders: mean average precision {mean:.4f}, mean recall at 1 0.5000; 4 queries, 4 images"
    assert line in capsys.readouterr().out.splitlines()
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["means"]["average precision"] == pytest.approx(mean)
    assert len(written["values"]) == 4


@pytest.mark.parametrize(
    ("protocol", "names", "said"),
    [
        ("holidays", ["a.jpg", "100000.jpg"], "these images have no number for a name: a.jpg"),
        ("holidays", ["100001.jpg", "100002.jpg"], "the group of 100000 lacks its query"),
        ("holidays", ["100000.jpg", "100100.jpg"], "the group of 100000 lacks any image but its query"),
        ("holidays", ["x/100000.jpg", "y/100000.jpg"], "x/100000.jpg and y/100000.jpg have the same number"),
        ("ukbench", ["ukbench00000.jpg", "ukbench00001.jpg"], "of the images 00000 to 00003"),
        ("ukbench", ["x.jpg", "y.jpg"], "these images have no number"),
        ("folders", ["a/1.png", "b/1.png"], "no folder below the images' own holds two images"),
        ("folders", ["1.png", "2.png"], "no folder below the images' own holds two images"),
    ],
)
def test_names_of_another_data_set_are_refused(tmp_path: Path, protocol: str, names: list[str], said: str) -> None:
    path = write_vectors(tmp_path / "v.npy", on_circle([0, 10]), names)
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        evaluate(path, protocol)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "holiday"], "protocol is holiday; wanted one of folders, holidays, ukbench"),
        (["--output", "r.txt"], "wanted a name that ends in .json"),
        (["--output", "none/r.json"], "its folder is missing"),
    ],
)
def test_wrong_flags_are_said(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    write_vectors(Path("v.npy"), on_circle([0, 10]))
    assert run("evaluate-retrieval", "v.npy", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_full_disk_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_vectors(tmp_path / "v.npy", on_circle([row / 100 for row in range(4000)]))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        for words in (["evaluate-retrieval", path], ["index", path, "--output", tmp_path / "i"]):
            assert run(*words) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    copying, indexing = capfd.readouterr().err.splitlines()
    assert copying.startswith("error: cannot write a copy of the vectors into ")
    assert indexing == f"error: cannot write {tmp_path / 'i'}: File too large"
    assert not (tmp_path / "i").exists()
