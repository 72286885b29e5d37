"""Indexes, vectors and whitenings of somebody else: damaged ones are refused in a sentence, and none leads elsewhere."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.support.retrieval_files import FACTS, HOW, npy, refused, run, saved, write_vectors
from mindzoo.utils import log
from mindzoo.utils.retrieval import index, page, query, vectors, whitening
from mindzoo.utils.retrieval.keys import IndexConfig
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.retrieval.writer import VectorWriter

COUNT, LENGTH = 40, 6
VALUES = np.random.default_rng(0).standard_normal((COUNT, LENGTH)).astype(np.float32)
Spoil = Callable[[Path], object]


def make(folder: Path, **keys: Any) -> Path:
    """An index with a whitening."""
    source = write_vectors(folder / "v.npy", VALUES)
    whitening.fit(open_vectors(source), 4).save(folder / "w.npz")
    keys = {"whitening": str(folder / "w.npz"), "output": str(folder / "i"), **keys}
    index.build(IndexConfig(vectors=(str(source),), **keys))
    return folder / "i"


def use(folder: Path) -> None:
    """What a query does with an index, but for the network."""
    found = index.open_index(folder)
    _, rows = found.search(VALUES[:3], COUNT)
    found.images(rows.ravel())


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change the object in a file of JSON."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return spoil


def written(name: str, content: str | bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def gone(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def line(number: int, content: str) -> Spoil:
    """Another line in the file of names."""

    def spoil(folder: Path) -> None:
        lines = (folder / "images.jsonl").read_text().splitlines(keepends=True)
        (folder / "images.jsonl").write_text("".join([*lines[:number], content, *lines[number + 1 :]]))

    return spoil


GOOD = (COUNT, 4)
PREPARED = np.ones(GOOD, np.float32)
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (written("index.json", ""), "the file .*index.json is empty"),
        (written("index.json", "{"), r"index.json is not JSON: .* at line 1, column 2"),
        (written("index.json", "[]"), "index.json is damaged: no JSON object"),
        (written("index.json", DEEP), "index.json nests more than 50 levels deep"),
        (written("index.json", "{}"), "index.json says kind None; wanted one of exact, flat, ivf, hnsw"),
        (edited("index.json", lambda c: c.update(kind=["exact"])), r"says kind \['exact'\]; wanted one of"),
        (edited("index.json", lambda c: c.update(kind="flat")), "says checksum None, or is of an earlier version"),
        (edited("index.json", lambda c: c.pop("dimension")), "says dimension None, or is of an earlier version"),
        (edited("index.json", lambda c: c.update(dimension=10**99)), "holds 40x4 numbers, and index.json says 40x1000"),
        (edited("index.json", lambda c: c.update(dimension=4.0)), "says dimension 4.0, or is of"),
        (edited("index.json", lambda c: c.update(whitening="yes")), "says whitening yes, or is of"),
        (edited("index.json", lambda c: c.update(whitening=False)), "does not fit the whitening and the vectors"),
        (edited("index.json", lambda c: c.pop("vectors")), "index.json is damaged: it says nothing of the vectors"),
        (edited("index.json", lambda c: c["vectors"].update(count=39)), "holds 40x4 numbers, and index.json says 39x4"),
        (edited("index.json", lambda c: c["vectors"].update(count=-1)), "count is -1; wanted a number from 1 to"),
        (edited("index.json", lambda c: c["vectors"].update(count=10**30)), "count is 1000.*; wanted a number from 1 to"),
        (edited("index.json", lambda c: c["vectors"].update(dimension=7)), "does not fit the whitening and the vectors"),
        (edited("index.json", lambda c: c["vectors"].update(network=None)), "network is missing; wanted a text"),
        (edited("index.json", lambda c: c["vectors"].update(options=[])), r"options is \[\]; wanted an object"),
        (edited("index.json", lambda c: c["vectors"].pop("images")), "does not say where the images lie"),
        (edited("index.json", lambda c: c["vectors"].update(images="a\0b")), "images is no path"),
        (edited("index.json", lambda c: c["vectors"].update(images=["/"])), r"images is \['/'\]; wanted a text"),
        (edited("index.json", lambda c: c["vectors"]["checkpoint"].update(sha256=5)), "checkpoint's sha256 is 5; wanted"),
        (edited("index.json", lambda c: c["vectors"]["checkpoint"].update(weights="x")), "weights are x; wanted averaged"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].pop("mean")), "preprocessing lacks mean"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(x=1)), "preprocessing has x, which is not"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(std=[0, 0, 0])), "std is 0; wanted at least"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(mean=[1])), "mean has 1 number; wanted three"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(image_size=[32])), "image_size has one number"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(image_size=[10**9, 1])), "image_size is 1000000000;"),
        (edited("index.json", lambda c: c["vectors"]["preprocessing"].update(crop_pct="0.5")), "crop_pct is 0.5; wanted 0.5"),
        (gone("images.jsonl"), "cannot read .*images.jsonl: No such file"),
        (written("images.jsonl", ""), "images.jsonl is damaged: it has 0 lines for 40 vectors"),
        (line(0, ""), "images.jsonl is damaged: it has 39 lines for 40 vectors"),  # each name would be that of another
        (line(7, "\n"), "images.jsonl is damaged: line 8 is empty; embed the images again"),
        (line(7, "{]\n"), "images.jsonl is damaged: line 8 is not JSON"),
        (line(7, '{"path": "a"}\n'), "images.jsonl is damaged: line 8 lacks path or folder"),
        (line(7, '{"path": 1, "folder": ""}\n'), "images.jsonl is damaged: line 8 lacks path or folder"),
        (line(7, '["a", "b"]\n'), "images.jsonl is damaged: line 8 lacks path or folder"),
        (line(7, "[" * 90_000 + "\n"), "images.jsonl is damaged: line 8 nests more than 50 levels deep"),
        (line(7, "x" * 10_000_000), "images.jsonl is damaged: it has 39 lines for 40 vectors"),
        (gone("vectors.npy"), "the file of vectors .*vectors.npy is missing"),
        (written("vectors.npy", b""), "vectors.npy is empty"),
        (written("vectors.npy", npy(str(GOOD), content=bytes(4 * 4 * 39))), "has .* bytes and speaks of"),
        (written("vectors.npy", npy("(1000000000000, 1000)", content=b"x")), "bytes and speaks of 4,000,000,000,000,0"),
        (written("vectors.npy", npy("(-40, 4)", content=PREPARED.tobytes())), "its head is not that of a NumPy file"),
        (written("vectors.npy", npy("(0, 4)")), "is no file of vectors, or damaged"),
        (written("vectors.npy", npy("()", content=b"1234")), "does not hold float32 vectors"),
        (written("vectors.npy", npy("(160,)", content=PREPARED.tobytes())), "does not hold float32 vectors"),
        (written("vectors.npy", npy("(40, 4)", "<f8", bytes(1280))), "does not hold float32 vectors"),
        (written("vectors.npy", npy("(40, 4)", "|O", bytes(1280))), "its head is not that of a NumPy file"),
        (written("vectors.npy", npy("", head="(" * 9000)), "its head is not that of a NumPy file"),
        (written("vectors.npy", npy("", head="{" + "-" * 60_000 + "1: 1}")), "its head is not that of a NumPy file"),
        (written("vectors.npy", saved(np.array([{}], object))), "its head is not that of a NumPy file"),
        (written("vectors.npy", pickle.dumps(os.getpid)), "its head is not that of a NumPy file"),
        (written("vectors.npy", saved(PREPARED * np.float32("nan"))), "holds vectors that are not finite"),
        (written("vectors.npy", saved(PREPARED * np.float32("-inf"))), "holds vectors that are not finite"),
        (written("vectors.npy", saved(PREPARED[:, :3])), "holds 40x3 numbers, and index.json says 40x4"),
    ],
)  # fmt: skip
def test_a_damaged_index_is_refused(tmp_path: Path, spoil: Spoil, said: str) -> None:
    folder = make(tmp_path)
    use(folder)
    spoil(folder)
    refused(lambda: use(folder), said)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_a_damaged_index_of_faiss_never_reaches_faiss(tmp_path: Path, kind: str) -> None:
    """Some of these end the process there."""
    pytest.importorskip("faiss")
    folder = make(tmp_path, kind=kind)
    use(folder)
    raw = (folder / "index.faiss").read_bytes()
    for at in range(0, len(raw), 97):
        (folder / "index.faiss").write_bytes(raw[:at] + bytes([raw[at] ^ 64]) + raw[at + 1 :])
        refused(lambda: use(folder), "index.faiss is damaged: its checksum is another one; make the index again")
    (folder / "index.faiss").write_bytes(raw[:-1])
    refused(lambda: use(folder), "its checksum is another one")
    gone("index.faiss")(folder)
    refused(lambda: use(folder), "cannot read .*index.faiss: No such file")
    (folder / "index.faiss").write_bytes(raw)
    other = "flat" if kind != "flat" else "hnsw"
    edited("index.json", lambda content: content.update(kind=other))(folder)
    refused(lambda: use(folder), f"is no index of kind {other} with 40 vectors of 4")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("words", [["index", "--output", "i"], ["whiten", "--output", "w.npz"], ["evaluate-retrieval"]])
def test_vectors_that_are_not_finite_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], number: str
) -> None:
    values = VALUES.copy()
    values[17, 3] = float(number)
    path = write_vectors(Path("v.npy"), values)
    assert run(words[0], path, *words[1:]) == 2
    assert capsys.readouterr().err == "error: the vector in row 17 of v.npy is not finite; embed the images again\n"
    assert sorted(path.name for path in Path().iterdir()) == ["v.npy", "v.npy.json", "v.npy.jsonl"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"path": "../x.png", "folder": ".."}\n',
            "line 1 of v.npy.jsonl names ../x.png, which is not below the folder",
        ),
        ('{"path": "/etc/x.png", "folder": "/etc"}\n', "names /etc/x.png, which is not below the folder of images"),
        ('{"path": "a/\\u0000", "folder": "a"}\n', "which is not below the folder of images"),
        ('{"path": "a/x.png", "folder": "a"}\n', "v.npy.jsonl has 1 lines for 40 vectors; embed the images again"),
        (
            '{"path": "a/x.png", "folder": "a"}\n' * 41,
            "v.npy.jsonl has 41 lines for 40 vectors; embed the images again",
        ),
        ("x\n", "v.npy.jsonl is damaged: line 1 is not JSON"),
    ],
)
@pytest.mark.parametrize("words", [["index", "--output", "i"], ["evaluate-retrieval"]])
def test_names_that_lead_elsewhere_get_into_no_index(
    capsys: pytest.CaptureFixture[str], words: list[str], text: str, said: str
) -> None:
    path = write_vectors(Path("v.npy"), VALUES)
    Path("v.npy.jsonl").write_text(text)
    assert run(words[0], path, *words[1:]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_what_is_said_of_vectors_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for change, said in (
        (
            {"checkpoint": None},
            "v.npy.json is damaged: checkpoint is missing; wanted an object; embed the images again",
        ),
        ({"preprocessing": {**HOW.to_dict(), "resize_mode": "x"}}, "resize_mode is x; wanted one of square, shorter"),
        ({"count": True}, "v.npy holds 40x6 numbers, and v.npy.json says Truex6"),
    ):
        write_vectors(Path("v.npy"), VALUES, **change)
        assert run("whiten", "v.npy", "--output", "w.npz") == 2
        assert said in capsys.readouterr().err


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of images beside a secret one."""
    for name in ("root/a/1.png", "root/2.png", "other/a/1.png", "secret.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / name)
    (tmp_path / "root" / "away.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "root" / "folder").symlink_to(tmp_path)
    (tmp_path / "root" / "same.png").symlink_to("2.png")
    (tmp_path / "root" / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "root" / "pipe.png")
    return tmp_path


def test_the_page_shows_no_picture_from_outside_of_the_folder(pictures: Path) -> None:
    """Also where a link leads there; a page is often sent to others."""
    inside = ["a/1.png", "2.png", "same.png", "pipe.png", "a", "none.png"]
    outside = [
        "../secret.png",
        str(pictures / "secret.png"),
        "away.png",
        "folder/secret.png",
        "a/../../secret.png",
        "loop.png",
    ]
    results = [{"rank": 1, "score": 0.5, "path": name, "folder": ""} for name in [*inside, *outside]]
    said = {**FACTS, "count": 1, "dimension": 1}
    about = {"kind": "exact", "dimension": 8, "whitening": False, "vectors": said}
    left_out = page.write(
        pictures / "p.html", pictures / "root", about, [{"image": str(pictures / "other/a/1.png"), "results": results}]
    )
    assert left_out == len(outside)
    assert (pictures / "p.html").read_text().count("<img ") == 2 * (1 + 3)  # each with what the network saw of it


def test_results_that_lead_out_are_left_out_and_counted(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(pictures)
    line(3, '{"path": "../secret.png", "folder": ".."}\n')(folder)
    line(4, json.dumps({"path": str(pictures / "secret.png"), "folder": "x"}) + "\n")(folder)
    found = index.open_index(folder)
    log.start()
    scores, rows = found.search(VALUES[3:5], COUNT)
    results = query._results(found, [{"image": "q0.png"}, {"image": "q1.png"}], scores, rows)
    assert [len(row["results"]) for row in results] == [COUNT - 2] * 2
    assert not [result for row in results for result in row["results"] if "secret" in result["path"]]
    assert [result["rank"] for result in results[0]["results"]] == list(range(1, COUNT - 1))
    out = capsys.readouterr().out
    assert out == "left out images whose paths lead out of the index's folder of images: 2\n"


def test_queries_of_another_length_are_refused(tmp_path: Path) -> None:
    found = index.open_index(make(tmp_path))
    refused(lambda: found.search(VALUES[:, :3], 2), "is of vectors of 6 numbers, and the network gives 3")


PROGRESS = {
    "facts": {**FACTS},
    "images": 3,
    "done": 0,
    "rows": 0,
    "dimension": 0,
    "names_bytes": 0,
    "unreadable_bytes": 0,
}


@pytest.mark.parametrize(
    ("progress", "names", "said"),
    [
        ("", "", "progress.json is empty"),
        (DEEP, "", "progress.json nests more than 50 levels deep"),
        ("{}", "", "progress.json is damaged; remove .*v.npy.part, and the same command begins anew"),
        (json.dumps({**PROGRESS, "finished": False, "done": -1}), "", "progress.json is damaged; remove"),
        (json.dumps({**PROGRESS, "finished": False, "rows": 1.5}), "", "progress.json is damaged; remove"),
        (json.dumps({**PROGRESS, "finished": False, "more": 1}), "", "progress.json is damaged; remove"),
        (json.dumps({**PROGRESS, "finished": False, "facts": {}}), "", "progress.json is damaged; remove"),
        (
            json.dumps({**PROGRESS, "finished": False, "names_bytes": 10**18}),
            "",
            "shorter than the progress beside it says",
        ),
        (
            json.dumps({**PROGRESS, "finished": False}),
            '"../secret.png"\n',
            "the list of images in .*v.npy.part is damaged",
        ),
        (json.dumps({**PROGRESS, "finished": False}), '"/etc/secret.png"\n', "the list of images in .* is damaged"),
        (json.dumps({**PROGRESS, "finished": False}), "5\n", "the list of images in .* is damaged"),
        (json.dumps({**PROGRESS, "finished": False}), DEEP + "\n", "the list of images in .* is damaged"),
    ],
)
def test_a_damaged_state_of_an_embedding_is_refused(tmp_path: Path, progress: str, names: str, said: str) -> None:
    part = tmp_path / "v.npy.part"
    part.mkdir()
    (part / "progress.json").write_text(progress)
    (part / "list.jsonl").write_text(names)

    def go_on() -> None:
        list(VectorWriter(tmp_path / "v.npy", FACTS, iter(["a.png"]), overwrite=False).remaining())

    refused(go_on, said)


def test_a_head_of_ours_is_read_whatever_its_numbers_are(tmp_path: Path) -> None:
    for rows, length in ((1, 1), (99, 2048), (3, 1)):
        (tmp_path / "v.npy").write_bytes(vectors.header(rows, length) + bytes(4 * rows * length))
        assert vectors.load_array(tmp_path / "v.npy").shape == (rows, length)
    np.save(tmp_path / "f.npy", np.asfortranarray(VALUES))
    np.testing.assert_array_equal(vectors.load_array(tmp_path / "f.npy"), VALUES)
