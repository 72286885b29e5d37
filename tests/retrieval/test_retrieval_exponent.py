"""The exponent that goes with a size of images: each one measured as evaluation would, one exponent at a time."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models import create_model
from mindzoo.tests.support.retrieval_files import HOW, run, save_tiny_checkpoint
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.retrieval.exponent import best

SIZE = (96, 96)
OPTIONS: dict[str, Any] = {"layers": [1, 1, 1, 1], "base_width": 4, "gem_p": 2.5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network whose classifier tells something from something."""
    path = tmp_path_factory.mktemp("net") / "tiny.ckpt"
    ms.set_seed(3)
    network = create_model("multigrain", num_classes=3, **OPTIONS)
    classifier = network.end_point.weight
    classifier.set_data(ms.Tensor(np.random.default_rng(0).normal(0, 1, classifier.shape), ms.float32))
    meta = {"network": "multigrain", "options": OPTIONS, "num_classes": 3, "preprocessing": HOW.to_dict()}
    checkpoint_file.save_checkpoint(path, network.parameters_dict(), meta)
    return path


def fit(weights: Path, data: Path, *more: object) -> int:
    flags = ["--checkpoint", weights, "--data_path", data, "--device_target", "CPU", "--batch_size", 5, *more]
    return run("fit-exponent", "multigrain", *flags)


def test_every_exponent_is_measured_as_a_network_with_it(
    weights: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(weights, colors, "--image_size", 96, "--exponents", "1,8,3", "--output", tmp_path / "p.json") == 0
    out, found = capsys.readouterr().out, json.loads((tmp_path / "p.json").read_text())
    measured = {row["exponent"]: row for row in found["measured"]}
    assert list(measured) == [1, 2.5, 3, 8]  # its own is one of them
    paths = sorted((colors / "val").glob("*/*.png"))
    how = Preprocessing(SIZE, HOW.crop_pct, HOW.resize_mode, HOW.mean, HOW.std)
    images = ms.Tensor(np.stack([load_image(path, how) for path in paths]))
    labels = np.repeat([0, 1, 2], [5, 5, 3])
    network = create_model("multigrain", checkpoint=weights)
    features, classifier = network.features(images).asnumpy().astype(np.float64), network.end_point
    for exponent, row in measured.items():
        pooled = (np.maximum(features, 1e-6) ** exponent).mean(axis=(2, 3)) ** (1 / exponent)
        logits = pooled @ classifier.weight.asnumpy().T + classifier.bias.asnumpy()
        right = logits[np.arange(13), labels]
        losses = np.log(np.exp(logits - right[:, None]).sum(axis=1))
        assert row["cross_entropy"] == pytest.approx(losses.mean(), rel=1e-4)
        assert row["accuracy"] == np.mean(logits.argmax(axis=1) == labels)
    lowest = min(measured, key=lambda exponent: measured[exponent]["cross_entropy"])
    assert found["exponent"] == lowest
    assert len({row["cross_entropy"] for row in measured.values()}) == 4
    assert f"use --image_size 96,96 --gem_p {lowest:g}" in out.splitlines()
    assert re.search(rf"^ +{lowest:g} +{measured[lowest]['cross_entropy']:.5f} .*  best$", out, re.MULTILINE)
    assert (found["images"], found["network"], found["options"]["base_width"]) == (13, "multigrain", 4)
    assert found["preprocessing"] == how.to_dict()


def test_evaluation_with_the_flags_gives_the_same(
    weights: Path, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(weights, colors, "--image_size", 64, "--exponents", "5", "--output", "p.json") == 0
    accuracy = {row["exponent"]: row["accuracy"] for row in json.loads(Path("p.json").read_text())["measured"]}
    words = ["--data_path", colors, "--image_size", 64, "--gem_p", 5, "--device_target", "CPU"]
    assert run("eval", "multigrain", "--checkpoint_path", weights, *words) == 0
    shown = re.findall(r"result: (\{.*\}) ckpt=", capsys.readouterr().out)[0]
    assert ast.literal_eval(shown)["top_1_accuracy"] == accuracy[5]


@pytest.mark.parametrize(("criterion", "wanted"), [("cross_entropy", 4), ("accuracy", 2)])
def test_the_criterion_decides(criterion: str, wanted: float) -> None:
    rows = [(1, 0.9, 0.5), (2, 0.8, 0.6), (3, 0.85, 0.6), (4, 0.7, 0.55)]
    measured = [{"exponent": p, "cross_entropy": loss, "accuracy": accuracy} for p, loss, accuracy in rows]
    assert best(measured, criterion)["exponent"] == wanted


def test_a_best_at_the_end_of_the_list_is_said(weights: Path, colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(weights, colors, "--exponents", "2.5") == 0
    assert "the best is at an end of the list; --exponents P,P,... can go on" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--exponents", "0"], "exponents is 0; wanted at least 0.001"),
        (["--data_path", ""], "data_dir is not given"),
        (["--checkpoint", ""], "checkpoint is not given"),
        (["--output", "p.txt"], "output is p.txt; wanted a name that ends in .json"),
        (["--image_size", "16"], "image_size is 16,16; multigrain needs at least 32"),
    ],
)
def test_wrong_flags_are_said(
    weights: Path, colors: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert fit(weights, colors, *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_network_with_a_plain_pooling_is_refused(
    tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = save_tiny_checkpoint(tmp_path / "tiny.ckpt")
    assert run("fit-exponent", "densenet121", "--checkpoint", net, "--data_dir", colors) == 2
    assert "densenet121 has no exponent to fit" in capsys.readouterr().err
