"""What programs import: the numbers of the commands, from files, pictures and arrays, and sentences for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mindzoo
from mindzoo import api
from mindzoo.cli import main
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.data.look import decode
from mindzoo.utils.images.readable import prepared


@pytest.fixture(scope="module")
def classifier(trained: Trained) -> mindzoo.Classifier:
    return mindzoo.Classifier.load(trained.checkpoint, device="CPU")


@pytest.fixture(scope="module")
def images(trained: Trained) -> list[Path]:
    return sorted(trained.data.glob("val/*/000.png"))


@pytest.fixture(scope="module")
def index(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    vectors = str(folder / "vectors.npy")
    where = ["--checkpoint", str(trained.checkpoint), "--images", str(trained.data / "val"), "--output", vectors]
    assert main(["embed", "densenet121", *where]) == 0
    assert main(["index", vectors, "--output", str(folder / "index")]) == 0
    return folder


def test_importing_does_not_load_mindspore() -> None:
    begin = f"__import__('runpy').run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')"
    code = "import mindzoo, sys; mindzoo.UserError, mindzoo.Index; raise SystemExit('mindspore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"{begin}\n{code}"], timeout=60).returncode == 0


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Clasifier"):
        mindzoo.Clasifier  # noqa: B018
    assert set(mindzoo.__all__) <= {
        *dir(mindzoo),
        "Classifier",
        "Prediction",
        "Index",
        "Match",
        "UserError",
        "create_model",
        "list_models",
    }


def test_answers_are_those_of_the_command(
    classifier: mindzoo.Classifier, images: list[Path], trained: Trained, tmp_path: Path
) -> None:
    files = [str(path) for path in images]
    target = tmp_path / "rows.json"
    words = ["predict", "densenet121", "--checkpoint", str(trained.checkpoint), *files, "--output", str(target)]
    assert main(words) == 0
    said = [[(one["name"], one["probability"]) for one in row["classes"]] for row in json.loads(target.read_text())]
    found = classifier.predict(files)
    assert [[(one.label, one.probability) for one in answers] for answers in found] == said
    assert [classifier.classes[one.index] for one in found[0]] == [one.label for one in found[0]]
    assert [answers[0].label for answers in found] == [path.parent.name for path in images]


def test_pictures_and_pixels_give_what_files_give(
    classifier: mindzoo.Classifier, images: list[Path], tmp_path: Path
) -> None:
    wanted = classifier.preprocess(images)
    pictures = [Image.open(path) for path in images]
    assert wanted.shape == (3, 3, *classifier.image_size)
    np.testing.assert_array_equal(classifier.preprocess(pictures), wanted)
    np.testing.assert_array_equal(classifier.preprocess(np.stack([np.asarray(one) for one in pictures])), wanted)
    for mode in ("L", "LA", "P", "1", "RGBA"):
        pictures[0].convert(mode).save(tmp_path / f"{mode}.png")
        with Image.open(tmp_path / f"{mode}.png") as picture:
            np.testing.assert_array_equal(
                classifier.preprocess(picture), classifier.preprocess(tmp_path / f"{mode}.png")
            )
    assert classifier.preprocess(pictures[0].convert("CMYK")).shape == (1, 3, *classifier.image_size)


def test_vectors_are_those_of_the_command_and_find_their_image(
    classifier: mindzoo.Classifier, images: list[Path], index: Path
) -> None:
    opened, names = mindzoo.Index.open(index / "index"), [f"{path.parent.name}/{path.name}" for path in images]
    rows = [json.loads(line)["path"] for line in (index / "vectors.npy.jsonl").read_text().splitlines()]
    written = np.load(index / "vectors.npy")[[rows.index(name) for name in names]]
    vectors = classifier.embed(images)
    np.testing.assert_allclose(vectors, written, atol=1e-5)
    assert len(opened) == len(rows)
    found = opened.query(images, classifier, top_k=2)
    assert [matches[0].path for matches in found] == names
    assert [match.rank for match in found[0]] == [1, 2]
    assert found[0][0].score == pytest.approx(1, abs=1e-5)
    assert opened.query(vectors, top_k=2) == found
    assert opened.query(vectors[0], top_k=1) == [found[0][:1]]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("red.png", "the question is no vector; for pictures give a classifier too"),
        (np.zeros((1, 7)), r"the question is of the shape \(1, 7\); wanted vectors of \d+ numbers"),
        (None, "the question"),
    ],
)
def test_a_question_that_is_no_vector_is_refused(index: Path, question: object, said: str) -> None:
    with pytest.raises(mindzoo.UserError, match=said):
        mindzoo.Index.open(index / "index").query(question)


def test_a_question_of_no_numbers_is_refused(classifier: mindzoo.Classifier, images: list[Path], index: Path) -> None:
    with pytest.raises(mindzoo.UserError, match="the question has numbers that are not finite"):
        mindzoo.Index.open(index / "index").query(classifier.embed(images[0]) * np.nan)


def test_another_preprocessing_does_not_ask_an_index(trained: Trained, images: list[Path], index: Path) -> None:
    larger = mindzoo.Classifier.load(trained.checkpoint, device="CPU", image_size=48)
    with pytest.raises(mindzoo.UserError, match=r"preprocessing of the classifier is .*48"):
        mindzoo.Index.open(index / "index").query(images, larger)


def test_threads_share_one(classifier: mindzoo.Classifier, images: list[Path]) -> None:
    wanted = [classifier.predict(path) for path in images * 4]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(classifier.predict, images * 4)) == wanted


WRONG: dict[str, tuple[Callable[[mindzoo.Classifier, Path], object], str]] = {
    "no file": (lambda one, file: one.predict("absent.png"), "absent.png cannot be opened"),
    "no picture": (lambda one, file: one.predict([3]), "an image is of the type int; wanted the path of a file"),  # type: ignore[list-item]
    "nothing": (lambda one, file: one.predict(None), "the images are None; wanted the path"),  # type: ignore[arg-type]
    "the bytes of a file": (lambda one, file: one.predict(file.read_bytes()), "the images are of the type bytes"),  # type: ignore[arg-type]
    "an empty picture": (lambda one, file: one.predict(Image.new("RGB", (0, 5))), "a picture has 0 x 5 pixels"),
    "a flat array": (lambda one, file: one.predict(np.zeros((5, 4), np.uint8)), r"uint8 of the shape \(5, 4\)"),
    "names in a list": (lambda one, file: mindzoo.Classifier.load(file, classes=["a"]), "classes is of the type list"),  # type: ignore[arg-type]
    "grey pixels": (lambda one, file: one.embed(np.zeros((1, 4, 4, 1), np.uint8)), "wanted uint8 of"),
    "shares": (lambda one, file: one.embed([np.zeros((4, 4, 3))]), "pixels are float64"),
    "top_k": (lambda one, file: one.predict(file, top_k=0), "top_k is 0"),
    "no checkpoint": (lambda one, file: mindzoo.Classifier.load("absent.ckpt"), "absent.ckpt is missing"),
    "a picture": (lambda one, file: mindzoo.Classifier.load(file), "is a picture; wanted weights"),
    "no network": (lambda one, file: mindzoo.Classifier.load(file, network="densnet121"), "did you mean densenet121"),
    "no index": (lambda one, file: mindzoo.Index.open(file.parent), "no index; wanted a folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(name: str, classifier: mindzoo.Classifier, images: list[Path]) -> None:
    call, said = WRONG[name]
    with pytest.raises(mindzoo.UserError, match=said) as found:
        call(classifier, images[0])
    assert "\n" not in str(found.value)


def test_values_are_checked_as_keys_are(trained: Trained) -> None:
    for words, said in (
        ({"engine": "torch"}, "engine"),
        ({"device": "TPU"}, "device_target"),
        ({"weights": "best"}, "weights"),
        ({"image_size": (0, 3)}, "image_size"),
    ):
        with pytest.raises(mindzoo.UserError, match=said):
            mindzoo.Classifier.load(trained.checkpoint, **words)


@pytest.mark.parametrize("how", ["stored", "exif"])
@pytest.mark.parametrize("mark", [1, 3, 6])
def test_a_picture_is_turned_where_its_file_would_be(tmp_path: Path, how: str, mark: int) -> None:
    """The mark of the camera goes with a picture that Pillow opened."""
    exif = Image.Exif()
    exif[0x0112] = mark
    pixels = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif.tobytes())
    (_, content) = api._content(Image.open(tmp_path / "x.png"))
    assert content is not None
    found, wanted = (
        decode(prepared(np.frombuffer(each, np.uint8), how)) for each in (content, (tmp_path / "x.png").read_bytes())
    )
    np.testing.assert_array_equal(found, wanted)
    assert found.shape == ((4, 6, 3) if (how, mark) == ("exif", 6) else (6, 4, 3))
