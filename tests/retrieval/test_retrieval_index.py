"""Indexes, and queries by image: what is found, as table, JSON and page; what does not fit is refused."""

from __future__ import annotations

import html.parser
import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.support.retrieval_files import FACTS, HOW, run, save_tiny_checkpoint, write_vectors
from mindzoo.utils.data.transforms import load_image
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import ann, index, page, whitening
from mindzoo.utils.retrieval.keys import IndexConfig
from mindzoo.utils.retrieval.search import normalised
from mindzoo.utils.retrieval.vectors import open_vectors

VALUES = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)


class Collection(NamedTuple):
    """A checkpoint, the vectors of colors/train, a whitening, and an index of each kind of vectors."""

    checkpoint: Path
    images: Path
    vectors: Path
    whitening: Path
    plain: Path
    whitened: Path


@pytest.fixture(scope="module")
def collection(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("collection")
    paths = [folder / name for name in ("v.npy", "w.npz", "index", "whitened")]
    made = Collection(save_tiny_checkpoint(folder / "tiny.ckpt"), colors / "train", *paths)
    common = ["--images", made.images, "--checkpoint", made.checkpoint, "--device_target", "CPU"]
    assert run("embed", "densenet121", *common, "--output", made.vectors) == 0
    assert run("whiten", made.vectors, "--output", made.whitening, "--dimension", 4) == 0
    assert run("index", made.vectors, "--output", made.plain) == 0
    assert run("index", made.vectors, "--output", made.whitened, "--whitening", made.whitening) == 0
    return made


def query(collection: Collection, *words: object, folder: Path | None = None) -> int:
    flags = ["--checkpoint", collection.checkpoint, "--index", folder or collection.plain, "--device_target", "CPU"]
    return run("query", "densenet121", *flags, *words)


def make(path: Path, **keys: Any) -> index.Index:
    return index.build(IndexConfig(vectors=(str(path),), output=str(path.with_suffix("")), **keys))


def test_an_index_searches_by_cosine(tmp_path: Path) -> None:
    lengths = np.linspace(0.1, 9, 300)[:, None]
    found = make(write_vectors(tmp_path / "v.npy", VALUES * lengths))
    scores, rows = found.search(5 * VALUES[:7], 3)
    cosines = normalised(VALUES[:7]) @ normalised(VALUES).T
    np.testing.assert_array_equal(rows, np.argsort(-cosines, axis=1)[:, :3])
    np.testing.assert_allclose(scores[:, 0], 1, rtol=1e-5)
    assert found.images([299, 2]) == {
        2: {"path": "2/00002.png", "folder": "2"},
        299: {"path": "2/00299.png", "folder": "2"},
    }


def test_an_index_can_be_moved_and_needs_nothing_else(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "v.npy", VALUES)
    whitening.fit(open_vectors(path), 8).save(tmp_path / "w.npz")
    wanted = make(path, whitening=str(tmp_path / "w.npz")).search(VALUES[:5], 4)
    (tmp_path / "v").rename(tmp_path / "moved")
    for name in ("v.npy", "v.npy.json", "v.npy.jsonl", "w.npz"):
        (tmp_path / name).unlink()
    found = index.open_index(tmp_path / "moved").search(VALUES[:5], 4)
    np.testing.assert_array_equal(found, wanted)


def test_a_whitened_index_ranks_whitened_vectors(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "v.npy", VALUES * np.geomspace(1, 0.01, 16))
    fitted = whitening.fit(open_vectors(path))
    fitted.save(tmp_path / "w.npz")
    _, rows = make(path, whitening=str(tmp_path / "w.npz")).search(open_vectors(path).array[:9], 5)
    prepared = fitted.apply(open_vectors(path).array)
    np.testing.assert_array_equal(rows, np.argsort(-prepared[:9] @ prepared.T, axis=1)[:, :5])


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_faiss_finds_what_the_exact_search_finds(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("faiss")
    path = write_vectors(tmp_path / "v.npy", VALUES)
    wanted_scores, wanted = make(path).search(VALUES[:50], 5)
    shutil.rmtree(tmp_path / "v")
    keys = {"lists": 8} if kind == "ivf" else {}
    make(path, kind=kind, **keys)
    found = index.open_index(tmp_path / "v")
    scores, rows = found.search(VALUES[:50], 5, 300)
    np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-5)
    assert sorted(file.name for file in (tmp_path / "v").iterdir()) == ["images.jsonl", "index.faiss", "index.json"]
    little_effort = np.mean(found.search(VALUES[:50], 5, 1)[1] == wanted)
    if kind == "flat":
        assert little_effort == 1
    if kind == "ivf":
        assert little_effort < 1  # one cell of eight does not hold all of them


def test_fewer_found_than_wanted_by_an_approximate_index(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    found = make(write_vectors(tmp_path / "v.npy", VALUES), kind="ivf", lists=100)
    _, rows = found.search(VALUES[:2], 200, 1)
    assert -1 in rows
    assert sorted(found.images(rows[0])) == sorted(rows[0][rows[0] >= 0])


def test_without_faiss_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    path = write_vectors(tmp_path / "v.npy", VALUES)
    with pytest.raises(UserError, match=r"kind hnsw needs faiss: pip install faiss-cpu \(mindzoo's extra ann\)"):
        make(path, kind="hnsw")
    assert not (tmp_path / "v").exists()
    with pytest.raises(UserError, match="use --kind exact"):
        ann.read_index("flat", tmp_path / "none", 0, (1, 1))


def test_query_finds_the_image_itself(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["red/003.png", "blue/011.png", "green/000.png"]
    paths = [collection.images / name for name in names]
    assert query(collection, *paths, "--top_k", 2, "--output", tmp_path / "r.json", "--batch_size", 2) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert [row["image"] for row in found] == [str(path) for path in paths]
    for name, row in zip(names, found, strict=True):
        first, second = row["results"]
        assert (first["rank"], first["path"], first["folder"]) == (1, name, name.split("/")[0])
        assert first["score"] == pytest.approx(1, abs=1e-5)
        assert second["score"] < first["score"]
    out = capsys.readouterr().out
    assert f"{paths[0]}\n    1   1.0000  red/003.png\n    2   " in out
    assert "searched 36 vectors for 3 images in " in out


def test_query_whitens_as_the_index_does(collection: Collection, tmp_path: Path) -> None:
    image = collection.images / "red" / "003.png"
    words = ["--output", tmp_path / "r.json", "--whitening", collection.whitening]
    assert query(collection, image, *words, folder=collection.whitened) == 0
    found = json.loads((tmp_path / "r.json").read_text())[0]["results"]
    prepared = whitening.read_whitening(collection.whitening).apply(open_vectors(collection.vectors).array)
    names = [line["path"] for line in open_vectors(collection.vectors).images()]
    cosines = prepared @ prepared[names.index("red/003.png")]
    assert [row["path"] for row in found] == [names[row] for row in np.argsort(-cosines)[:10]]
    np.testing.assert_allclose([row["score"] for row in found], np.sort(cosines)[::-1][:10], atol=1e-4)


def test_query_preprocesses_as_the_index_records(collection: Collection, tmp_path: Path) -> None:
    common = ["--images", collection.images, "--checkpoint", collection.checkpoint, "--device_target", "CPU"]
    large = ["--image_size", 64, "--output", tmp_path / "large.npy"]
    assert run("embed", "densenet121", *common, *large) == 0
    assert run("index", tmp_path / "large.npy", "--output", tmp_path / "large") == 0
    image = collection.images / "red" / "003.png"
    assert query(collection, image, "--output", tmp_path / "r.json", folder=tmp_path / "large") == 0
    first = json.loads((tmp_path / "r.json").read_text())[0]["results"][0]
    assert (first["path"], round(first["score"], 4)) == ("red/003.png", 1)


def test_another_checkpoint_is_refused(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_tiny_checkpoint(tmp_path / "other.ckpt", seed=2)
    image = collection.images / "red" / "003.png"
    assert run("query", "densenet121", "--checkpoint", other, "--index", collection.plain, image) == 2
    error = capsys.readouterr().err
    assert f"{other} (SHA-256 " in error
    assert "is another checkpoint than that of the vectors (" in error


def test_another_network_is_refused(collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(collection.plain, tmp_path / "copy")
    facts = json.loads((copy / "index.json").read_text())
    facts["vectors"]["network"] = "other"
    (copy / "index.json").write_text(json.dumps(facts))
    assert query(collection, collection.images / "red" / "003.png", folder=copy) == 2
    assert "the vectors are of other, not of densenet121; name that network" in capsys.readouterr().err


class Pictures(html.parser.HTMLParser):
    """What a page holds: pictures by their text, what can be reached by the tab key, and where it loads from."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: dict[str, str] = {}
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.stops, self.text = 0, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.pictures[values["alt"]] = values["src"]
        self.stops += tag == "li" and values.get("tabindex") == "0"
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [values[name] for name in ("src", "href") if name in values]

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(path: Path) -> Pictures:
    pictures = Pictures()
    pictures.feed(path.read_text(encoding="utf-8"))
    return pictures


def test_the_page_holds_the_pictures_and_loads_nothing(collection: Collection, tmp_path: Path) -> None:
    images = [collection.images / "red" / "003.png", collection.images / "blue" / "001.png"]
    assert query(collection, *images, "--top_k", 3, "--html", tmp_path / "p.html") == 0
    found = parsed(tmp_path / "p.html")
    assert {"Query: red/003.png", "Query: blue/001.png", "red/003.png", "blue/001.png"} <= set(found.pictures)
    assert found.stops == 6
    assert all(address.startswith(("data:image/jpeg;base64,", "#q")) for address in found.addresses)
    assert {address[1:] for address in found.addresses if address[0] == "#"} <= set(found.ids)
    assert "densenet121 at 32x32 pixels" in found.text


def test_several_pictures_are_one_question(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["red/003.png", "red/001.png"]
    images = [collection.images / name for name in names]
    (tmp_path / "bad.png").write_bytes(b"no image")
    files = ["--output", tmp_path / "r.json", "--html", tmp_path / "p.html", "--top_k", 36]
    assert query(collection, *images, tmp_path / "bad.png", "--together", *files) == 1
    (row,) = json.loads((tmp_path / "r.json").read_text())
    assert row["images"] == [str(image) for image in images]
    paths = [line["path"] for line in open_vectors(collection.vectors).images()]
    unit = normalised(open_vectors(collection.vectors).array)
    mean = unit[[paths.index(name) for name in names]].mean(axis=0)
    scores = {path: float(score) for path, score in zip(paths, unit @ mean / np.linalg.norm(mean), strict=True)}
    assert {one["path"]: one["score"] for one in row["results"]} == pytest.approx(scores, abs=1e-4)
    out = capsys.readouterr().out
    assert f"{images[0]}\n{images[1]}\n    1 " in out
    assert " for 2 images together in " in out
    found = parsed(tmp_path / "p.html")
    assert "2 pictures, one question" in found.text
    crops = page.Crops(index.open_index(collection.plain).facts)
    for name in names:
        assert f"Query: {name}" in found.pictures
        drawn = crops.drawn(load_image(collection.images / name, HOW))
        assert found.pictures[f"Query: {name}, as the network saw it"] == drawn
    assert len([label for label in found.pictures if label.endswith(", as the network saw it")]) == 2 + 36


def test_an_index_holds_no_path_of_the_machine(collection: Collection) -> None:
    for path in collection.whitened.iterdir():
        assert str(collection.images.parent).encode() not in path.read_bytes(), path
    assert "images" not in whitening.read_whitening(collection.whitened / "whitening.npz").facts


def test_an_index_finds_its_images_where_both_were_moved(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "images").mkdir(parents=True)
    make(write_vectors(before / "v.npy", VALUES, images=str(before / "images")))
    before.rename(after)
    assert Path(index.open_index(after / "v").facts["vectors"]["images"]).samefile(after / "images")


def test_names_are_escaped_and_missing_pictures_are_said(tmp_path: Path) -> None:
    name = "<script>alert('x')</script>&\"quoted\" 图\udcff.png"
    Image.new("RGB", (900, 30), (200, 0, 0)).save(tmp_path / "there.png")
    facts = {
        "kind": "exact",
        "dimension": 8,
        "whitening": True,
        "vectors": {**FACTS, "images": str(tmp_path), "count": 5},
    }
    results = [
        {"rank": 1, "score": 1.5, "path": name, "folder": ""},
        {"rank": 2, "score": -0.25, "path": "there.png", "folder": ""},
    ]
    page.write(tmp_path / "p.html", tmp_path, facts, [{"image": str(tmp_path / name), "results": results}])
    found = parsed(tmp_path / "p.html")
    shown = name.replace("\udcff", r"\xff")
    assert shown in found.text
    assert "<script>" not in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert found.text.count("picture cannot be read") == 2
    assert list(found.pictures) == ["there.png", "there.png, as the network saw it"]
    assert "-0.2500" in found.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no image given"),
        (["none.png"], "the image none.png is missing"),
        (["broken.png"], "cannot read broken.png"),
        (["IMAGE", "--index", ""], "index is not given"),
        (["IMAGE", "--index", "none"], "index is none, which is no folder"),
        (["IMAGE", "--index", "."], "index is ., which is no index"),
        (["IMAGE", "--checkpoint", ""], "checkpoint is not given"),
        (["IMAGE", "--output", "r.txt"], "output is r.txt; wanted a name that ends in .json"),
        (["IMAGE", "--html", "none/p.html"], "html is none/p.html, and its folder is missing"),
        (["IMAGE", "--image_size", "48"], "image_size is 48,48, and the vectors of "),
        (["IMAGE", "--top_k", "0"], "top_k is 0; wanted at least 1"),
        (["IMAGE", "--whitening", "WHITENING"], "was made without whitening"),
    ],
)
def test_wrong_queries_are_said(
    collection: Collection, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    Path("broken.png").write_bytes(b"no image" * 9)
    meant = {"IMAGE": collection.images / "red" / "003.png", "WHITENING": collection.whitening}
    assert query(collection, *[meant.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_the_images_that_can_be_read_are_searched_and_the_others_named_at_the_end(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.png").write_bytes(b"no image" * 9)
    images = [collection.images / "red" / "003.png", "broken.png", collection.images / "blue" / "001.png", "none.png"]
    assert query(collection, *images, "--top_k", 1, "--output", tmp_path / "r.json") == 1
    found = json.loads((tmp_path / "r.json").read_text())
    assert [row["results"][0]["path"] for row in found] == ["red/003.png", "blue/001.png"]
    missing, broken = capsys.readouterr().out.splitlines()[-2:]
    assert missing == "left out: cannot read none.png: is missing"
    assert broken.startswith("left out: cannot read broken.png: ")


def test_an_index_of_faiss_may_have_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    path = write_vectors(tmp_path / "v.npy", VALUES)
    assert run("index", path, "--output", tmp_path / "caf\udce9", "--kind", "flat") == 0
    assert len(index.open_index(tmp_path / "caf\udce9").search(VALUES[:2], 3)[1]) == 2


def test_another_whitening_is_refused(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("whiten", collection.vectors, "--output", tmp_path / "w3.npz", "--dimension", 3) == 0
    image = collection.images / "red" / "003.png"
    assert query(collection, image, "--whitening", tmp_path / "w3.npz", folder=collection.whitened) == 2
    assert "is another whitening than the one in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["v.npy"], "output is not given"),
        (["v.npy", "--output", "there"], "exists; give another output, or remove it"),
        (["v.npy", "--output", "none/i"], "its folder is missing"),
        (["v.npy", "--output", "i", "--kind", "fast"], "kind is fast; wanted one of exact, flat, ivf, hnsw"),
        (["none.npy", "--output", "i"], "the file of vectors none.npy is missing"),
    ],
)
def test_wrong_flags_of_an_index_are_said(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    write_vectors(Path("v.npy"), VALUES)
    Path("there").mkdir()
    assert run("index", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not Path("i").exists()
    assert not list(Path().glob(".i-*"))


def test_a_key_without_effect_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_vectors(tmp_path / "v.npy", VALUES)
    assert run("index", path, "--output", tmp_path / "i", "--links", 8) == 0
    assert "links has no effect: kind is exact" in capsys.readouterr().out


def test_a_damaged_index_is_said(tmp_path: Path) -> None:
    make(write_vectors(tmp_path / "v.npy", VALUES))
    np.save(tmp_path / "v" / "vectors.npy", VALUES[:9])
    with pytest.raises(UserError, match=r"holds 9x16 numbers, and .* says 300x16; make the index again"):
        index.open_index(tmp_path / "v")
