"""Images are added to an index and removed from it: what it answers then, what is refused, and what a killed process leaves."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.retrieval_files import FACTS, run, write_vectors
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import changes, index, whitening
from mindzoo.utils.retrieval.keys import IndexAddConfig, IndexConfig
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.training import run_lock

VALUES = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
NAMES = [f"{'abc'[row % 3]}/{row:02}.png" for row in range(60)]
FIRST, LATER = slice(0, 40), slice(40, 60)
QUERIES = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)


def vectors(name: str, rows: Any, **facts: Any) -> Path:
    return write_vectors(Path(name), VALUES[rows], list(np.array(NAMES)[rows]), **facts)


def made(name: str, rows: Any, **keys: Any) -> Path:
    """An index of these rows, in the current folder."""
    path = vectors(f"{name}.npy", rows)
    index.build(IndexConfig((str(path),), output=name, **keys))
    return Path(name)


def answers(folder: Path) -> list[list[tuple[str, float]]]:
    """Every image with its score, best first, by an effort that leaves nothing out."""
    found = index.open_index(folder)
    scores, rows = found.search(QUERIES, 100, 100)
    names = found.images(rows.ravel())
    return [
        [(names[row]["path"], round(float(score), 5)) for score, row in zip(*pair, strict=True)]
        for pair in zip(scores, rows, strict=True)
    ]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def without_edition(folder: Path) -> dict[str, Any]:
    facts = json.loads((folder / "index.json").read_text())
    facts.pop("edition", None)
    return facts


@pytest.mark.parametrize("kind", ["exact", "flat", "ivf", "hnsw"])
def test_added_and_removed_it_is_as_one_that_is_built_anew(kind: str) -> None:
    if kind != "exact":
        pytest.importorskip("faiss")
    whitening.fit(open_vectors(vectors("w.npy", slice(None))), 6).save(Path("w.npz"))
    keys = {"kind": kind, "whitening": "w.npz", **({"links": 5} if kind == "hnsw" else {})}
    changed = made("changed", FIRST, **keys)
    assert run("index-add", vectors("v.npy", LATER), "--index", changed) == 0
    kept = [row for row in range(60) if NAMES[row] not in ("a/03.png", "b/58.png") and NAMES[row][0] != "c"]
    assert run("index-remove", "a/03.png", "*/58.png", "c", "--index", changed) == 0
    anew = made("anew", kept, **keys)
    assert answers(changed) == answers(anew)
    assert without_edition(changed) == without_edition(anew)
    files, same = content(changed), content(anew)
    assert sorted(files) == sorted(name.replace(".", ".2.") if name in index_files() else name for name in same)
    for name in index_files() & same.keys():
        assert files[name.replace(".", ".2.")] == same[name], name


def index_files() -> set[str]:
    return {"images.jsonl", "vectors.npy", "index.faiss"}


def test_the_cells_that_were_asked_for_stay_as_many() -> None:
    pytest.importorskip("faiss")
    folder = made("ivf", FIRST, kind="ivf", lists=7)
    assert run("index-add", vectors("v.npy", LATER), "--index", folder) == 0
    assert index.open_index(folder).content.nlist == 7
    assert run("index-remove", "a", "b", "c/0*", "c/[1-4]*", "--index", folder) == 0
    assert index.open_index(folder).content.nlist == index.open_index(folder).content.ntotal == 4


def test_images_that_are_there_are_refused_or_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("i", FIRST)
    before = content(folder)
    again = write_vectors(Path("v.npy"), VALUES[38:42][::-1], NAMES[38:42])
    assert run("index-add", again, "--index", folder) == 2
    assert "i has 2 images already: c/38.png, a/39.png; --replace takes the new ones\n" in capsys.readouterr().err
    assert content(folder) == before
    assert run("index-add", again, "--index", folder, "--replace") == 0
    root = open_vectors(again).facts["images"]
    assert f"added 4 images of {root} to i in place of 2: 42 images, kind exact\n" in capsys.readouterr().out
    found = index.open_index(folder)
    assert found.images(range(38, 42))[38]["path"] == "c/38.png"
    np.testing.assert_array_equal(found.search(VALUES[38:42], 1)[1][:, 0], [41, 40, 39, 38])


def test_images_of_a_folder_below_are_named_from_that_of_the_index(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path("images").absolute()
    index.build(IndexConfig((str(vectors("v.npy", FIRST, images=str(root))),), output="i"))
    below = write_vectors(Path("n.npy"), VALUES[:2], ["x.png", "y/z.png"], images=str(root / "new"))
    assert run("index-add", below, "--index", "i") == 0
    found = index.open_index(Path("i")).images([40, 41])
    assert found == {
        40: {"path": "new/x.png", "folder": "new"},
        41: {"path": "new/y/z.png", "folder": "new/y"},
    }
    aside = write_vectors(Path("n.npy"), VALUES[:2], ["x.png", "y.png"], images=str(root) + "2")
    assert run("index-add", aside, "--index", "i") == 2
    assert re.search("lie in .*images2, and those of the index below .*images; put them there", capsys.readouterr().err)
    assert run("index-add", aside, "--index", "i", "--images_root", f"{root}2") == 2
    assert "images2, which is missing; wanted the folder of images\n" in capsys.readouterr().err
    (root.parent / "images2").mkdir()
    Path("below").mkdir()
    Path("below/link").symlink_to(Path("i").absolute())
    Path("images2/a").mkdir()
    Path("images2/a/00.png").touch()
    assert run("index-add", aside, "--index", "below/link", "--images_root", f"{root}2") == 0
    said = (
        f"41 of the 42 images that the index had are not below {root}2, which it names now for all of them: b/01.png, "
    )
    assert said in capsys.readouterr().out
    assert json.loads(Path("i/index.json").read_text())["vectors"]["images"] == "../images2"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"network": "other"}, "v.npy does not fit the index i: network other instead of densenet121; wanted the same"),
        (
            {"preprocessing": {**FACTS["preprocessing"], "image_size": [64, 64]}},
            "image_size 64,64 instead of 32,32; wanted",
        ),
        ({"options": {**FACTS["options"], "growth_rate": 8}}, "growth_rate 8 instead of 4; wanted"),
        (
            {"checkpoint": {"file": "x", "sha256": "cd" * 32, "weights": "raw"}},
            "checkpoint cdcdcdcdcdcd instead of abab",
        ),
    ],
)
def test_other_vectors_are_refused(facts: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("i", FIRST)
    before = content(folder)
    assert run("index-add", vectors("v.npy", LATER, **facts), "--index", folder) == 2
    assert said in capsys.readouterr().err
    assert content(folder) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["index-add", "--index", "i"], "0 files of vectors are given; wanted one"),
        (["index-add", "v.npy"], "index is not given; wanted a folder that mindzoo index wrote: --index FOLDER"),
        (["index-add", "v.npy", "--index", "none"], "index is none, which is no folder"),
        (["index-add", "none.npy", "--index", "i"], "the file of vectors none.npy is missing"),
        (["index-remove", "a"], "index is not given"),
        (["index-remove", "--index", "i"], "no image is given; wanted their paths as mindzoo query names them"),
        (
            ["index-remove", "a", "d/00.png", "b*", "a/*/x", "--index", "i"],
            "i has no image called d/00.png, a/*/x; wanted",
        ),
        (["index-remove", "?", "--index", "i"], "i would be empty; an index has at least one image: remove the folder"),
        (
            ["index-remove", "--names", "none", "--index", "i"],
            "names is none, which is no file of names, or is missing",
        ),
        (
            ["index-remove", "--names", "empty", "--index", "i"],
            "names is empty, which is empty; wanted one name a line",
        ),
        (["index-remove", "--names", "names", "--index", "i"], "i has no image called z/\\x1b[2J.png; wanted"),
    ],
)
def test_wrong_words_change_nothing(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("i", FIRST)
    before = content(folder)
    vectors("v.npy", LATER)
    Path("empty").write_text("\n\r\n")
    Path("names").write_text("a/00.png\nz/\x1b[2J.png\n")
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert content(folder) == before


def test_names_of_a_file_and_names_that_look_like_patterns() -> None:
    names = ["a/[1].png", "a/1.png", "caf\udce9/x.png", "d/y.png"]
    path = write_vectors(Path("v.npy"), VALUES[:4], [name.replace("\udce9", "?") for name in names])
    path.with_name("v.npy.jsonl").write_text("".join(f"{json.dumps({'path': n, 'folder': ''})}\n" for n in names))
    index.build(IndexConfig((str(path),), output="i"))
    Path("names.txt").write_bytes(b"\xef\xbb\xbfcaf\xe9/x.png\r\n")
    assert run("index-remove", "a/[1].png", "--names", "names.txt", "--index", "i") == 0
    found = index.open_index(Path("i"))
    assert [row["path"] for row in found.images([0, 1]).values()] == ["a/1.png", "d/y.png"]


def test_a_process_that_dies_leaves_the_index_whole() -> None:
    """It ends as `kill -9` ends it, where all is written and `index.json` is about to be replaced."""
    folder = made("i", FIRST)
    before, wanted = content(folder), answers(folder)
    vectors("v.npy", LATER)
    code = (
        "import os, runpy\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "from mindzoo.cli import main\n"
        "from mindzoo.utils.retrieval import changes\n"
        "changes.write_json = lambda path, content: os._exit(9)\n"
        "main(['index-add', 'v.npy', '--index', 'i'])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    left = content(folder)
    assert before.items() <= left.items()
    assert {"vectors.1.npy", "images.1.jsonl"} <= left.keys()
    assert answers(folder) == wanted
    assert run("index-add", "v.npy", "--index", folder) == 0
    assert sorted(content(folder)) == ["images.1.jsonl", "index.json", "vectors.1.npy"]
    assert answers(folder) == answers(made("anew", slice(None)))


@pytest.mark.parametrize("step", ["line_of", "_to_disk", "write_json"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_change_that_fails_leaves_nothing(step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    folder = made("i", FIRST)
    before = content(folder)
    monkeypatch.setattr(changes, step, fail)
    keys = IndexAddConfig((str(vectors("v.npy", LATER)),), index="i")
    with pytest.raises(
        UserError if isinstance(error, OSError) else KeyboardInterrupt, match=r"cannot write i: No space|^$"
    ):
        changes.add(keys)
    assert content(folder) == before


def test_a_second_change_at_the_same_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("i", FIRST)
    with run_lock.holding(folder):
        assert run("index-add", vectors("v.npy", LATER), "--index", folder) == 2
    assert f"error: i is in use by process {os.getpid()} on " in capsys.readouterr().err
    assert run("index-add", "v.npy", "--index", folder) == 0


def test_a_search_does_not_take_the_names_of_a_later_change() -> None:
    folder = made("i", FIRST)
    found = index.open_index(folder)
    assert run("index-remove", "a/00.png", "--index", folder) == 0
    with pytest.raises(UserError, match="i was changed while it was searched; search again"):
        found.images([0])


def test_a_link_in_an_index_of_somebody_else_is_not_written_through(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("i", FIRST)
    Path("mine").write_text("mine")
    for name in ("vectors.1.npy", "images.1.jsonl"):
        (folder / name).symlink_to(Path("mine").absolute())
    assert run("index-remove", "a/00.png", "--index", folder) == 0
    (folder / ".lock").symlink_to(Path("mine").absolute())
    assert run("index-remove", "a/03.png", "--index", folder) == 2
    assert "error: cannot write i/.lock: " in capsys.readouterr().err
    assert Path("mine").read_text() == "mine"


@pytest.mark.parametrize("edition", [-1, 1.0, "1/../../x", True, 1 << 32, 7])
def test_an_edition_that_is_none_is_said(edition: object) -> None:
    folder = made("i", FIRST)
    facts = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**facts, "edition": edition}))
    with pytest.raises(
        UserError, match=r"vectors\.7\.npy is missing" if edition == 7 else r"index\.json says edition "
    ):
        index.open_index(folder)
