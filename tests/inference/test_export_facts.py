"""The facts beside an exported file are right, complete enough to feed it, and tell nothing of the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.retrieval_files import run, save_tiny_checkpoint
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import files
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_facts import checkpoint_facts
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.data.transforms import Preprocessing, load_image

STEPS = ["decode", "orient", "resize", "centre_crop", "scale", "normalise", "layout"]


def export(checkpoint: Path, name: Path, file_format: str, *more: str) -> dict[str, Any]:
    """The facts of what was exported."""
    words = ["--checkpoint", checkpoint, "--file_name", name, "--file_format", file_format, "--device_target", "CPU"]
    assert run("export", "densenet121", *words, *more) == 0
    facts: dict[str, Any] = json.loads(Path(f"{name}.json").read_text(encoding="utf-8"))
    return facts


def texts(content: Any) -> Iterator[str]:
    """Every string in what JSON holds."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from (text for pair in content.items() for value in pair for text in texts(value))
    elif isinstance(content, list):
        yield from (text for value in content for text in texts(value))


def absolute_paths(content: Any) -> list[str]:
    return [text for text in texts(content) if Path(text).is_absolute()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("facts")


@pytest.fixture(scope="module")
def outside(trained: Trained, folder: Path) -> dict[str, Any]:
    return export(trained.checkpoint, folder / "outside.onnx", "ONNX")


def test_the_facts_beside_the_file(trained: Trained, outside: dict[str, Any], folder: Path) -> None:
    assert (outside["schema"], outside["network"], outside["format"]) == (2, "densenet121", "ONNX")
    assert outside["options"] == {"flavour": "zoo", "block_config": [1, 1], "growth_rate": 4, "init_features": 8}
    assert outside["classes"] == ["blue", "green", "red"]
    assert outside["file"] == {
        "name": "outside.onnx",
        "sha256": files.sha256(folder / "outside.onnx"),
    }
    assert outside["input"] == {
        "name": "images",
        "shape": ["any", 3, 32, 32],
        "dtype": "float32",
        "layout": "NCHW",
        "color": "RGB",
    }
    output = outside["output"]
    assert (output["name"], output["shape"], output["meaning"]) == ("logits", ["any", 3], "logits")
    how = outside["preprocessing"]
    assert (how["mean"], how["resized"], how["interpolation"]) == ([0.485, 0.456, 0.406], [32, 32], "bilinear")
    assert (how["value_range"], how["orientation"], how["crop_pct"]) == ([0, 1], "stored", 1.0)
    assert outside["checkpoint"] == {
        "file": trained.checkpoint.name,
        "sha256": files.sha256(trained.checkpoint),
        "weights": "averaged",
    }
    assert outside["verification"]["verified"] is True
    assert 0 <= outside["verification"]["largest_relative_difference"] <= 1e-4
    assert outside["verification"]["image"] == "000.png"


def test_every_step_of_the_preprocessing_is_said_in_order(tmp_path: Path) -> None:
    """Sizes and rules as fields: a program can follow them."""
    checkpoint = save_tiny_checkpoint(tmp_path / "t.ckpt")
    flags = ["--image_size", "32,48", "--crop_pct", "0.8", "--resize_mode", "shorter", "--orientation", "exif"]
    steps = export(checkpoint, tmp_path / "n.mindir", "MINDIR", "--no_verify", "1", *flags)["preprocessing"]["steps"]
    assert [step["step"] for step in steps] == STEPS
    assert not any(step["inside"] for step in steps)
    decode, orient, resize, crop, scale, normalise, layout = steps
    assert (decode["color"], decode["dtype"], decode["frame"], decode["alpha"]) == ("RGB", "uint8", "first", "dropped")
    assert decode["16_bit"] == "upper byte"
    assert orient["mode"] == "exif"
    assert (resize["mode"], resize["shorter_side"]) == ("shorter", 60)
    assert (resize["filter"], resize["antialias"]) == ("bilinear", False)
    assert (crop["height"], crop["width"]) == (32, 48)
    assert scale["divide_by"] == 255
    assert (normalise["subtract"], normalise["divide_by"]) == ([0.5, 0.4, 0.3], [0.2, 0.2, 0.2])
    assert (layout["from"], layout["to"], layout["dtype"]) == ("NHWC", "NCHW", "float32")


def test_weights_are_called_averaged_only_where_they_were_there_and_taken(tmp_path: Path, folder: Path) -> None:
    path = save_tiny_checkpoint(tmp_path / "t.ckpt")
    without, value = Checkpoint(path, "mindzoo", {}), np.zeros(1)
    both = Checkpoint(path, "mindzoo", {}, averaged={"w": value})
    assert checkpoint_facts(without, "averaged")["weights"] == "raw"
    assert checkpoint_facts(both, "averaged")["weights"] == "averaged"
    assert checkpoint_facts(both, "raw")["weights"] == "raw"
    facts = export(path, tmp_path / "n.mindir", "MINDIR", "--no_verify", "1")
    assert facts["checkpoint"]["weights"] == "raw"


def test_nothing_that_is_exported_holds_a_path_of_this_machine(
    trained: Trained, outside: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    mindir = export(trained.checkpoint, folder / "net.mindir", "MINDIR")
    for facts in (outside, mindir):
        assert absolute_paths(facts) == []
    places = {
        str(trained.output.parent),
        str(folder.parent),
        str(Path(__file__).resolve().parents[2]),
        str(Path.home()),
    }
    for path in folder.iterdir():
        content = path.read_bytes()
        assert [place for place in places if place.encode() in content] == [], path


def test_a_converted_checkpoint_holds_no_path_of_this_machine(trained: Trained, tmp_path: Path) -> None:
    """That of a training has its configuration, with folders, so that it can go on."""
    assert run("convert", trained.checkpoint, tmp_path / "c.ckpt") == 0
    for path, holds in ((trained.checkpoint, True), (tmp_path / "c.ckpt", False)):
        meta = checkpoint_file.read_checkpoint(path, SPEC).meta
        assert bool(absolute_paths(meta)) == holds, path


def test_scaling_and_normalisation_can_be_inside(trained: Trained, tmp_path: Path) -> None:
    facts = export(trained.checkpoint, tmp_path / "n.mindir", "MINDIR", "--preprocess", "inside", "--batch_size", "2")
    assert facts["input"] == {
        "name": "images",
        "shape": [2, 32, 32, 3],
        "dtype": "uint8",
        "layout": "NHWC",
        "color": "RGB",
    }
    assert [step["step"] for step in facts["preprocessing"]["steps"] if step["inside"]] == STEPS[4:]
    assert facts["verification"]["verified"] is True
    files = sorted(trained.data.glob("val/*/*.png"))[:2]
    said = facts["preprocessing"]
    how = Preprocessing.from_dict({name: said[name] for name in Preprocessing.__dataclass_fields__})
    scaled = np.stack([load_image(path, how) for path in files])
    values = scaled * np.array(how.std)[:, None, None] + np.array(how.mean)[:, None, None]
    pixels = np.rint(255 * values).astype(np.uint8).transpose(0, 2, 3, 1)
    found = nn.GraphCell(ms.load(str(tmp_path / "n.mindir")))(Tensor(np.ascontiguousarray(pixels))).asnumpy()
    wanted = create_model("densenet121", checkpoint=trained.checkpoint)(Tensor(scaled)).asnumpy()
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_a_name_that_is_no_utf8_leaves_json_that_others_can_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    checkpoint = save_tiny_checkpoint(tmp_path / "t.ckpt")
    facts = export(checkpoint, tmp_path / f"{name}.mindir", "MINDIR", "--no_verify", "1")
    assert facts["file"]["name"] == f"{name}.mindir"


def test_facts_of_onnx_say_how_ascends_compiler_takes_the_file(outside: dict[str, Any], folder: Path) -> None:
    assert outside["ascend"]["aipp"] == "outside_aipp.cfg"
    assert (folder / "outside_aipp.cfg").read_text().count("var_reci_chn_") == 3
    assert "--insert_op_conf=outside_aipp.cfg" in outside["ascend"]["atc"]
    assert outside["ascend"]["run_by_us"] is False
