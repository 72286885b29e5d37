"""The mean of several checkpoints: its values, what it says of itself, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from mindzoo import cli
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support import weight_files
from mindzoo.tests.support.retrieval_files import run
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.files import sha256
from mindzoo.utils.inference import batch_statistics
from mindzoo.utils.inference.keys import AverageConfig
from mindzoo.utils.inference.mean_weights import MeanWeights

HOSTILE = "<script>\n.ckpt"


def write(path: Path, seed: int, **meta: object) -> Path:
    """A file with weights drawn by a seed, and with averaged ones, which are those of the seed and 10."""
    averaged = {f"ema.{name}": value for name, value in weight_files.tiny_weights(seed + 10).items()}
    path.write_bytes(weight_files.ours({**weight_files.tiny_weights(seed), **averaged}, **meta))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files, and one in a folder: so a name gets there that no command line takes."""
    (tmp_path / "folder").mkdir()
    names = ("a.ckpt", "b.ckpt", f"folder/{HOSTILE}")
    return [write(tmp_path / name, seed) for seed, name in enumerate(names)]


@pytest.mark.parametrize(("weights", "first"), [("averaged", 10), ("raw", 0)])
def test_the_mean_is_that_of_every_number(
    files: list[Path], capsys: pytest.CaptureFixture[str], weights: str, first: int
) -> None:
    assert run("average", *files[:2], files[2].parent, "--output", "mean.ckpt", "--weights", weights) == 0
    found = checkpoint_file.read_checkpoint(Path("mean.ckpt"), SPEC)
    each = [weight_files.tiny_weights(first + seed) for seed in range(3)]
    for name, value in found.weights.items():
        np.testing.assert_array_equal(
            value, np.mean([one[name] for one in each], axis=0, dtype=np.float64).astype("f4")
        )
    assert (found.averaged, found.state, found.is_of_a_training) == ({}, {}, False)
    assert found.classes == weight_files.META["classes"]
    assert found.meta["preprocessing"].items() >= weight_files.META["preprocessing"].items()
    facts = found.meta["averaged_from"]
    assert facts["mean"] == "uniform"
    assert facts["files"] == [{"file": path.name, "sha256": sha256(path), "weights": weights} for path in files]
    capsys.readouterr()
    assert cli.main(["info", "mean.ckpt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = next(
        number for number, line in enumerate(lines) if line.startswith("averaged from   3 files; mean uniform")
    )
    assert f"file b.ckpt, sha256 {sha256(files[1])}, weights {weights}" in lines[place + 2]
    assert r"file <script>\n.ckpt" in lines[place + 3]


def test_what_is_no_real_number_stays_that_of_the_first() -> None:
    mean = MeanWeights()
    for steps, value in ((3, 1.0), (9, 2.0)):
        weights: dict[str, np.ndarray] = {"steps": np.array(steps, np.int64), "half": np.array([value], np.float16)}
        mean.add(Checkpoint(Path("x"), "mindzoo", weights))
    found = mean.checkpoint(Path("y")).weights
    assert (int(found["steps"]), float(found["half"][0]), found["half"].dtype.name) == (3, 1.5, "float16")


CLASSES: dict[str, Any] = {"classes": ["blue", "grün", "yellow"]}
SIZE: dict[str, Any] = {"preprocessing": {**weight_files.META["preprocessing"], "crop_pct": 0.5}}
TRAITS = {"a class": (CLASSES, "class names differ, red and yellow"), "a crop": (SIZE, "crop_pct differs, 1 and 0.5")}


@pytest.mark.parametrize("case", TRAITS)
def test_files_that_differ_are_refused(files: list[Path], capsys: pytest.CaptureFixture[str], case: str) -> None:
    meta, words = TRAITS[case]
    write(files[1], 1, **meta)
    assert run("average", *files[:2], files[2].parent, "--output", "mean.ckpt") == 2
    assert f"a.ckpt and {files[1]} cannot be averaged: {words}; give" in capsys.readouterr().err
    assert not Path("mean.ckpt").exists()


def test_what_cannot_be_averaged_is_refused(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, _ = files
    bad = tmp_path / "bad.ckpt"
    bad.write_bytes(weight_files.ours({**weight_files.tiny_weights(), "head.fc.bias": np.full(3, np.nan, "f4")}))
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(one.read_bytes()[:-100])
    twin = Path(shutil.copy(one, tmp_path / "twin.ckpt"))
    out = ["--output", "mean.ckpt"]
    for words, said in (
        ([one, other], "output is not given"),
        ([one, *out], "wanted two checkpoints or more, mindzoo average FILE FILE ...; found 1 checkpoint"),
        ([tmp_path / "none.ckpt", *out], "none.ckpt is missing"),
        ([one, twin, *out], "there is nothing to average"),
        ([one, bad, *out], "not finite"),
        ([one, cut, *out], "cut.ckpt is "),
        ([one, other, "--output", one], f"{one} exists; give another output"),
        ([one, other, "--output", one, "--overwrite"], "which is one of the files to average"),
        ([one, other, *out, "--greedy"], "data_dir is not given"),
    ):
        assert run("average", *words) == 2
        assert said in capsys.readouterr().err
    assert not Path("mean.ckpt").exists()


def test_a_greedy_soup_leaves_out_what_makes_it_worse(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file whose classes are exchanged is worse alone, and with the others; a folder is all of its checkpoints."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("0-2_6.ckpt", "0-4_6.ckpt"):
        shutil.copy(trained.folder / name, folder)
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    exchanged = {
        name: value[::-1] * 100 if name.startswith("head") else value for name, value in found.averaged.items()
    }
    rows = {name: ms.Parameter(ms.Tensor(np.ascontiguousarray(value))) for name, value in exchanged.items()}
    meta = {name: found.meta[name] for name in ("network", "options", "num_classes", "classes", "preprocessing")}
    checkpoint_file.save_checkpoint(folder / "bad.ckpt", rows, meta)
    words = [
        "--greedy",
        "--data_dir",
        trained.data,
        "--engine",
        "mindspore",
        "--output",
        "soup.ckpt",
        "--device_target",
        "CPU",
    ]
    assert run("average", folder, *words) == 0
    said = capsys.readouterr().out
    assert f"with {folder / 'bad.ckpt'}" in said
    assert "left out" in next(line for line in said.splitlines() if line.startswith(f"with {folder / 'bad.ckpt'}"))
    facts = checkpoint_file.read_checkpoint(Path("soup.ckpt"), SPEC).meta["averaged_from"]
    assert facts["mean"] == "greedy"
    assert [one["file"] for one in facts["files"]] == ["0-4_6.ckpt", "0-2_6.ckpt"]
    best = json.loads((trained.folder / "metrics.jsonl").read_text().splitlines()[-1])["accuracy"]
    assert facts["files"][0]["accuracy"] == best


def test_statistics_are_those_of_the_training_images(colors: Path) -> None:
    """All batches count alike, so the mean is that of all images; of one batch the variance is, too."""
    how = Preprocessing((8, 8), 1.0, "square", (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    images = np.stack([load_image(path, how) for path in sorted(colors.glob("train/*/*.png"))])
    settings = AverageConfig(data_dir=str(colors), batch_size=12, workers=1)
    norm = nn.BatchNorm2d(3)
    for batch_size in (12, 36):
        assert batch_statistics.recalibrate(norm, how, dataclasses.replace(settings, batch_size=batch_size)) == 36
        np.testing.assert_allclose(norm.moving_mean.asnumpy(), images.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    unbiased = images.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(norm.moving_variance.asnumpy(), unbiased, rtol=1e-4)
