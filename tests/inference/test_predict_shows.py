"""Prediction with everything that it can show."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.inference.test_classify_images import predict
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.answers import tables
from mindzoo.utils.explaining.heat import LEGEND


@pytest.fixture
def photos(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images, and one between them that is broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, color in (("1.png", "red"), ("3 <b>.png", "green")):
        shutil.copy(next(trained.data.glob(f"val/{color}/*.png")), folder / name)
    (folder / "2.png").write_bytes(b"no image" * 9)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("method", ["gradcam", "occlusion"])
def test_a_page_a_sheet_heat_maps_and_lines(
    trained: Trained, photos: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    words = ["--html", "p.html", "--contact_sheet", "s.png", "--output", "o.jsonl", "--explain", method]
    assert predict(trained.checkpoint, "photos/*.png", *words, "--threshold", "1", "--top_k", "2") == 1
    said = capsys.readouterr().out
    rows = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [row["image"] for row in rows] == ["photos/1.png", "photos/3 <b>.png"]
    assert [row["unsure"] for row in rows] == [True, True]
    assert f"photos/1.png: unsure: {rows[0]['classes'][0]['name']} " in said
    assert said.splitlines()[-1].startswith("left out: photos/2.png is no image")
    assert "wrote 2 heat maps into p_heat_maps" in said
    assert sorted(path.name for path in Path("p_heat_maps").iterdir()) == ["1_1.png", "3_3_b_.png"]
    with Image.open("p_heat_maps/1_1.png") as drawn:
        assert drawn.size == (224, 224 + LEGEND)
        assert len(np.unique(np.asarray(drawn)[:224].reshape(-1, 3), axis=0)) > 10
    page = Path("p.html").read_text(encoding="utf-8")
    assert page.count('class="heat"') == 2
    assert page.count("is no image; JPEG") == 1
    with Image.open("s.png") as sheet:
        assert sheet.width > 300


def test_without_a_threshold_the_files_are_as_they_were(trained: Trained, photos: Path) -> None:
    assert predict(trained.checkpoint, "photos/1.png", "--output", "o.csv", "--html", "p.html") == 0
    with open("o.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["image", "rank", "class", "probability"]
    assert "heat" not in Path("p.html").read_text(encoding="utf-8").split("</style>")[1].split("<script>")[0]


def test_a_table_has_a_column_for_the_threshold(tmp_path: Path) -> None:
    row = {"image": "a.png", "classes": [{"name": "red", "probability": 0.5}], "unsure": True}
    tables.write(tmp_path / "rows.csv", [row])
    assert (tmp_path / "rows.csv").read_text().splitlines() == [
        "image,rank,class,probability,unsure",
        "a.png,1,red,0.5,true",
    ]


def test_lines_of_json_hold_names_that_are_not_utf8(tmp_path: Path) -> None:
    tables.write(tmp_path / "rows.jsonl", [{"image": "\udce9\n.png", "classes": []}])
    content = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    assert content.count("\n") == 1
    assert json.loads(content)["image"] == "\udce9\n.png"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            ["--explain", "gradcam"],
            "there is no place for the heat maps; wanted --html FILE.html, or --explain_dir FOLDER",
        ),
        (["--explain", "gradcams"], "wanted one of none, gradcam, occlusion"),
        (
            ["--explain", "occlusion", "--explain_dir", "photos/1.png"],
            "cannot write into explain_dir photos/1.png: Not a directory",
        ),
        (["--html", "p.htm"], "html is p.htm; wanted a name that ends in .html"),
        (["--contact_sheet", "none/s.png"], "its folder is missing"),
        (["--threshold", "1.5"], "threshold is 1.5; wanted at least 0 and at most 1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_computed(
    trained: Trained, photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], wanted: str
) -> None:
    assert predict(trained.checkpoint, "photos/1.png", *words) == 2
    captured = capsys.readouterr()
    assert wanted in captured.err
    assert "photos/1.png:" not in captured.out
