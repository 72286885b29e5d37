"""The scripts beside ONNX and MINDIR files give what predict gives, on files of every kind, without mindzoo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn

from mindzoo.tests.support.image_kinds import write_image_kinds, write_without_scale
from mindzoo.tests.support.retrieval_files import run
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.inference import onnx_sample
from mindzoo.utils.inference.preprocessing_steps import steps

SAME = 1e-5  # of values with a standard deviation of about 1: the pixels are the same
PHOTOGRAPHS = (Path(str(skimage.__file__)).parent / "data", Path(str(sklearn.__file__)).parent / "datasets" / "images")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_image_kinds(tmp_path_factory.mktemp("kinds"))


def assert_same_input(files: Sequence[Path], how: Preprocessing) -> None:
    """What the script makes of a file, following the steps as they are in JSON, is what predict makes of it."""
    said = {step["step"]: step for step in json.loads(json.dumps(steps(how, scaled_inside=False)))}
    differ = []
    for path in files:
        expected, found = load_image(path, how), onnx_sample.network_input(str(path), said)
        assert (found.shape, found.dtype) == ((1, *expected.shape), expected.dtype), path
        if np.abs(found[0] - expected).max() > SAME:
            differ.append(path.name)
    assert differ == []


@pytest.mark.parametrize("orientation", ["stored", "exif"])
@pytest.mark.parametrize("mode", ["square", "shorter"])
@pytest.mark.parametrize(("size", "crop_pct"), [((32, 32), 0.875), ((50, 37), 0.6)])
def test_files_of_every_kind_are_read_as_predict_reads_them(
    kinds: list[Path], size: tuple[int, int], crop_pct: float, mode: str, orientation: str
) -> None:
    assert len(kinds) > 60
    assert_same_input(kinds, Preprocessing(size, crop_pct, mode, (0.5, 0.4, 0.3), (0.2, 0.3, 0.1), orientation))


@pytest.mark.parametrize("mode", ["square", "shorter"])
def test_photographs_are_read_as_predict_reads_them(mode: str) -> None:
    files = [path for folder in PHOTOGRAPHS for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")]
    assert len(files) > 20
    assert_same_input(files, Preprocessing((224, 224), 0.875, mode, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@pytest.fixture(scope="module", params=["ONNX outside 1", "ONNX inside 1", "MINDIR outside 2"])
def script(trained: Trained, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A script in a folder with the exported files alone."""
    file_format, preprocess, batch_size = request.param.split()
    folder = tmp_path_factory.mktemp("für x y")
    words = ["--file_name", str(folder / "my net"), "--file_format", file_format, "--preprocess", preprocess]
    assert run("export", "densenet121", *common(trained), *words, "--batch_size", batch_size) == 0
    suffix, ending = {"ONNX": ("onnx", "predict"), "MINDIR": ("mindir", "predict_mindir")}[file_format]
    aipp = ["my net_aipp.cfg"] if (file_format, preprocess) == ("ONNX", "outside") else []
    names = [f"my net.{suffix}", f"my net.{suffix}.json", *aipp, f"my net_{ending}.py"]
    assert sorted(path.name for path in folder.iterdir()) == names
    return folder / names[-1]


def common(trained: Trained) -> list[str]:
    flags = {"--resize_mode": "shorter", "--crop_pct": "0.8", "--orientation": "exif", "--device_target": "CPU"}
    return ["--checkpoint", str(trained.checkpoint), *(word for pair in flags.items() for word in pair)]


def run_sample(script: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """In isolated mode: neither the current folder nor this clone can be imported from."""
    return subprocess.run(
        [sys.executable, "-I", str(script), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def test_its_labels_are_those_of_predict(trained: Trained, script: Path, kinds: list[Path], tmp_path: Path) -> None:
    files = [*kinds, *sorted(trained.data.glob("val/*/*.png"))]
    output = tmp_path / "predicted.json"
    assert run("predict", "densenet121", *files, *common(trained), "--output", output) == 0
    done = run_sample(script, *files)
    assert (done.returncode, done.stderr) == (0, "")
    rows, lines = json.loads(output.read_text()), done.stdout.splitlines()
    assert len(rows) == len(lines) == len(files)
    labels = set()
    for row, line in zip(rows, lines, strict=True):
        path, _, found = line.partition(": ")
        assert path == row["image"]
        said = [entry.split() for entry in found.split(", ")]
        assert [name for name, _ in said] == [entry["name"] for entry in row["classes"]], path
        for (_, share), entry in zip(said, row["classes"], strict=True):
            assert abs(float(share.rstrip("%")) / 100 - entry["probability"]) <= 0.005, path
        labels.add(said[0][0])
    assert len(labels) == 3


def test_what_cannot_be_read_is_named_and_the_others_are_not_left_out(
    script: Path, kinds: list[Path], tmp_path: Path
) -> None:
    """Values without a scale are refused, as predict refuses them."""
    bad = [*write_without_scale(tmp_path), tmp_path / "missing.png", tmp_path / "cut.png"]
    bad[-1].write_bytes(next(path for path in kinds if path.suffix == ".png").read_bytes()[:60])
    done = run_sample(script, *bad, kinds[0])
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    *named, last = done.stderr.splitlines()
    assert [line.partition(" cannot be read: ")[0] for line in named] == [str(path) for path in bad]
    assert named[0].endswith("it has values of 32 bits, which have no scale")
    assert last == f"{len(bad)} of {len(bad) + 1} images cannot be read"


DAMAGES = {
    "cut": "is damaged, or was changed: its SHA-256 is not the one in",
    "no sum": "cannot be loaded: ",
    "facts": "is damaged; copy it again",
    "schema": "is of schema 3, and this script reads schema 2",
    "gone": "is missing; it was written with this script: copy it too",
}
# To load MindSpore takes longer than all else: one process runs the scripts one after another, each as the main program.
ONE_BY_ONE = """
import runpy, sys
image, *scripts = sys.argv[1:]
for script in scripts:
    sys.argv = [script, image]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print(f"ended with {end.code}", file=sys.stderr)
    if sys.stdout is not sys.__stdout__:  # it put its own around it, which would close it
        sys.stdout.detach()
        sys.stdout = sys.__stdout__
"""


def damaged(script: Path, damage: str, folder: Path) -> Path:
    """A copy of the script in `folder`, with a file beside it that is no longer what it was."""
    copied = Path(shutil.copytree(script.parent, folder))
    model = next(path for path in copied.iterdir() if path.suffix in (".onnx", ".mindir"))
    facts = model.with_name(f"{model.name}.json")
    content = json.loads(facts.read_text())
    if damage in ("cut", "no sum"):
        os.truncate(model, model.stat().st_size // 2)
    if damage == "no sum":
        del content["file"]["sha256"]
    if damage == "gone":
        model.unlink()
    facts.write_text("[]" if damage == "facts" else json.dumps(content | ({"schema": 3} if damage == "schema" else {})))
    return copied / script.name


def test_a_damaged_file_is_said_in_a_sentence(script: Path, kinds: list[Path], tmp_path: Path) -> None:
    copies = [damaged(script, damage, tmp_path / damage) for damage in DAMAGES]
    words = [sys.executable, "-I", "-c", ONE_BY_ONE, str(kinds[0]), *map(str, copies)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    # The lines between are MindSpore's own.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[ERROR] CORE")]
    assert lines[1::2] == ["ended with 2"] * len(DAMAGES)
    for line, said in zip(lines[::2], DAMAGES.values(), strict=True):
        assert said in line


def test_no_image_is_a_sentence_and_the_status_2(script: Path) -> None:
    for words in ((), ("--help",)):
        done = run_sample(script, *map(Path, words))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert f"usage: python {script.name} IMAGE ..." in done.stderr
