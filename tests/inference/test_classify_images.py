"""Prediction: the images it takes, the classes it names, the files it writes."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import COLORS, Trained
from mindzoo.utils import commands
from mindzoo.utils.answers import tables
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.commands.of_networks import PREDICT
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.errors import UserError
from mindzoo.utils.inference import classify_images, inputs


def predict(source: Path, *words: str) -> int:
    return commands.run_command(PREDICT, SPEC, ["--checkpoint", str(source), "--device_target", "CPU", *words])


def plain(path: Path, color: str) -> Path:
    """One image of one colour in the format that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), COLORS[color]).save(path)
    return path


def as_json(trained: Trained, tmp_path: Path, *words: str) -> list[dict[str, Any]]:
    assert predict(trained.checkpoint, *words, "--output", str(tmp_path / "rows.json")) == 0
    rows: list[dict[str, Any]] = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    return rows


def test_probabilities_are_those_of_the_network(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(trained.data.glob("val/green/*.png"))
    (row,) = as_json(trained, tmp_path, str(path))
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    image = load_image(path, Preprocessing.from_dict(found.meta["preprocessing"]))
    network = create_model("densenet121", checkpoint=trained.checkpoint)
    logits = network(ms.Tensor(image[None])).asnumpy()[0].astype(np.float64)
    powers = np.exp(logits - logits.max())
    wanted = dict(zip(found.classes, powers / powers.sum(), strict=True))
    assert row["image"] == str(path)
    assert [entry["name"] for entry in row["classes"]] == sorted(wanted, key=lambda name: -wanted[name])
    for entry_ in row["classes"]:
        assert entry_["probability"] == pytest.approx(wanted[entry_["name"]], abs=1e-5)
    assert row["classes"][0]["name"] == "green"
    assert f"{path}: green {row['classes'][0]['probability']:.1%}, " in capsys.readouterr().out


def test_files_and_folders_of_several_formats(trained: Trained, tmp_path: Path) -> None:
    single = plain(tmp_path / "single.webp", "red")
    for name, color in (("a.jpg", "blue"), ("sub/b.PNG", "green"), ("sub/c.gif", "red"), ("d.bmp", "green")):
        plain(tmp_path / "folder" / name, color)
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    rows = as_json(trained, tmp_path, str(single), str(tmp_path / "folder"), "--top_k", "1")
    found = {Path(row["image"]).name: row["classes"][0]["name"] for row in rows}
    assert found == {"single.webp": "red", "a.jpg": "blue", "b.PNG": "green", "c.gif": "red", "d.bmp": "green"}
    assert rows[0]["image"] == str(single)
    assert all(len(row["classes"]) == 1 for row in rows)


def test_the_folder_of_a_run_is_its_best_checkpoint(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = plain(tmp_path / "one.png", "red")
    assert predict(trained.folder, str(image)) == 0
    assert f"the checkpoint of {trained.folder} is best.ckpt" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    assert predict(tmp_path / "none", str(image)) == 2
    assert "is a folder, without best.ckpt and last.ckpt; name a file in it" in capsys.readouterr().err


def test_csv(trained: Trained, tmp_path: Path) -> None:
    path = plain(tmp_path / 'a, "b".png', "blue")
    words = [str(path), "--top_k", "2", "--output", str(tmp_path / "rows.csv")]
    assert predict(trained.checkpoint, *words) == 0
    with open(tmp_path / "rows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["rank"]) for row in rows] == [(str(path), "1"), (str(path), "2")]
    assert rows[0]["class"] == "blue"
    assert float(rows[0]["probability"]) > float(rows[1]["probability"]) > 0


def test_classes_without_names_are_numbers(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    averaged = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).averaged
    rows = [{"name": name, "data": ms.Tensor(value)} for name, value in averaged.items()]
    ms.save_checkpoint(rows, str(tmp_path / "zoo.ckpt"))
    path = plain(tmp_path / "a.png", "red")
    assert predict(tmp_path / "zoo.ckpt", str(path), "--image_size", "32", "--crop_pct", "1") == 0
    assert f"{path}: 2 " in capsys.readouterr().out  # blue, green, red


NO_IMAGE = "is no image; JPEG, PNG, BMP, TIFF, WebP and GIF are read"


@pytest.mark.parametrize("name", ["broken.png", "broken.webp", "empty.jpg"])
def test_a_broken_image_is_named(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"" if name.startswith("empty") else b"no image at all" * 9)
    assert predict(trained.checkpoint, str(path), "--output", str(tmp_path / "rows.json")) == 2
    what = "is empty: 0 bytes" if name.startswith("empty") else NO_IMAGE
    assert capsys.readouterr().err == f"error: {path} {what}\n"
    assert not (tmp_path / "rows.json").exists()


def test_the_others_are_classified_and_what_could_not_be_read_is_named_at_the_end(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain(tmp_path / "images" / "1.png", "red")
    (tmp_path / "images" / "2.png").write_bytes(b"no image at all" * 9)
    plain(tmp_path / "images" / "3.png", "blue")
    assert predict(trained.checkpoint, str(tmp_path / "images"), "--output", str(tmp_path / "rows.json")) == 1
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [Path(row["image"]).name for row in rows] == ["1.png", "3.png"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"left out: {tmp_path / 'images' / '2.png'} {NO_IMAGE}"


def test_a_table_holds_names_that_are_not_utf8(trained: Trained, tmp_path: Path) -> None:
    found = [{"image": os.fsdecode(b"\xe9.png"), "classes": [{"name": "red", "probability": 0.5}]}]
    tables.write(tmp_path / "rows.csv", found)
    assert (tmp_path / "rows.csv").read_bytes().splitlines()[1] == b"\xe9.png,1,red,0.5"


def test_cells_that_a_spreadsheet_would_run_are_made_inert(trained: Trained, tmp_path: Path) -> None:
    path = plain(tmp_path / "=1+1.png", "blue")
    found = [{"image": path.name, "classes": [{"name": "@cmd", "probability": 0.5}]}]
    tables.write(tmp_path / "rows.csv", found)
    assert (tmp_path / "rows.csv").read_text().splitlines()[1] == "'=1+1.png,1,'@cmd,0.5"


@pytest.mark.parametrize("output", ["/proc/rows.json", "folder.json"])
def test_an_output_that_cannot_be_written_is_said_before_an_image_is_read(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    image = plain(tmp_path / "one.png", "red")
    assert predict(trained.checkpoint, str(image), "--output", str(tmp_path / output)) == 2
    captured = capsys.readouterr()
    assert "one.png" not in captured.out
    assert len(captured.err.splitlines()) == 1


def test_a_truncated_image_is_named(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(next(trained.data.glob("val/red/*.png")).read_bytes()[:1000])
    assert predict(trained.checkpoint, str(path)) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "no image given"),
        (["none.png"], "the image none.png is missing"),
        (["."], "the folder . holds no images"),
        (["IMAGE", "--output", "rows.txt"], "wanted a name that ends in .json or .jsonl or .csv"),
        (["IMAGE", "--output", "none/rows.json"], "its folder is missing"),
        (["IMAGE", "--top_k", "0"], "top_k is 0; wanted at least 1"),
    ],
)
def test_wrong_inputs_are_said(
    trained: Trained, capsys: pytest.CaptureFixture[str], words: list[str], wanted: str
) -> None:
    image = str(next(trained.data.glob("val/red/*.png")))
    assert predict(trained.checkpoint, *(image if word == "IMAGE" else word for word in words)) == 2
    error = capsys.readouterr().err
    assert wanted in error
    assert len(error.splitlines()) <= 2


def test_no_checkpoint_is_said(capsys: pytest.CaptureFixture[str], trained: Trained) -> None:
    assert commands.run_command(PREDICT, SPEC, [str(next(trained.data.glob("val/red/*.png")))]) == 2
    assert "checkpoint is not given" in capsys.readouterr().err


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(classify_images.softmax(np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0.0])


def test_images_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/1.JPG", "a/sub/3.webp"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    found = [
        Path(image.name).relative_to(tmp_path / "x").as_posix() for image in inputs.image_files([str(tmp_path / "x")])
    ]
    assert found == ["a/1.JPG", "a/sub/3.webp", "b/2.png"]
    with pytest.raises(UserError, match="missing"):
        inputs.image_files([str(tmp_path / "none")])
