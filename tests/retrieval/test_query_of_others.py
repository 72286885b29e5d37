"""Queries in an index of somebody else: what it says of the network is checked, and where its pictures are is for the user to say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.retrieval_files import run, save_tiny_checkpoint


@pytest.fixture(scope="module")
def made(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, images and an index of them."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(colors / "val", folder / "images")
    checkpoint = save_tiny_checkpoint(folder / "tiny.ckpt")
    words = ["--images", folder / "images", "--checkpoint", checkpoint, "--device_target", "CPU"]
    assert run("embed", "densenet121", *words, "--output", folder / "v.npy") == 0
    assert run("index", folder / "v.npy", "--output", folder / "index") == 0
    return folder


def query(made: Path, index: Path, *words: object) -> int:
    flags = ["--checkpoint", made / "tiny.ckpt", "--index", index, "--device_target", "CPU", "--top_k", 3, *words]
    return run("query", "densenet121", made / "images" / "red" / "000.png", *flags)


def changed(made: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of the index that says something else of its vectors."""
    copy = shutil.copytree(made / "index", folder / "index")
    content = json.loads((copy / "index.json").read_text())
    change(content["vectors"])
    (copy / "index.json").write_text(json.dumps(content))
    return copy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["options"].update(depth=3), "a network with depth, which densenet121 does not have"),
        (lambda v: v["options"].update(growth_rate="many"), "growth_rate is 'many'; wanted a whole number"),
        (lambda v: v["options"].update(growth_rate=1 << 30), "growth_rate is 1073741824"),
        (lambda v: v["options"].update(block_config=[10**9] * 4), "block_config is [1000000000, 1000000000"),
        (lambda v: v["options"].update(init_features="8"), "init_features is 8; wanted 8"),
        (lambda v: v["checkpoint"].update(sha256="ab" * 32), "is another checkpoint than that of the vectors"),
        (lambda v: v.update(dimension=9), "does not fit the whitening and the vectors beside it"),
    ],
)
def test_what_an_index_says_of_the_network_is_checked(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], object],
    said: str,
) -> None:
    assert query(made, changed(made, tmp_path, change)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_the_pictures_of_an_index_that_was_moved_lie_where_the_user_says(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = changed(made, tmp_path, lambda vectors: vectors.update(images="../gone"))
    (tmp_path / "index" / "images.jsonl").write_text(
        (made / "index" / "images.jsonl").read_text().replace("red/000.png", "../images/red/000.png")
    )
    for words, pictures in (
        (["--images_root", made / "images"], 1 + 2),
        ([], 1),
    ):  # each with what the network saw of it
        assert query(made, index, "--html", "p.html", *words) == 0
        assert Path("p.html").read_text().count("<img ") == 2 * pictures
        out = capsys.readouterr().out
        assert f"wrote p.html, with pictures from {words[1] if words else index / '../gone'}\n" in out
        assert "left out images whose paths lead out of the index's folder of images: 1\n" in out


def test_a_picture_behind_a_link_that_leads_out_is_counted(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "links"
    root.mkdir()
    for folder in (made / "images").iterdir():
        (root / folder.name).symlink_to(folder)
    assert query(made, made / "index", "--html", "p.html", "--images_root", root) == 0
    assert Path("p.html").read_text().count("<img ") == 2  # the question, and what the network saw of it
    assert "pictures left out of it, since links lead out of that folder: 3" in capsys.readouterr().out


def test_a_root_that_is_none_or_has_no_effect_is_said(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert query(made, made / "index", "--html", "p.html", "--images_root", "none") == 2
    assert capsys.readouterr().err == "error: images_root is none, which is missing; wanted the folder of images\n"
    assert query(made, made / "index", "--images_root", made / "images") == 0
    assert "note: images_root has no effect: html is not given" in capsys.readouterr().out
