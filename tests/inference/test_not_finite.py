"""Weights that are no numbers: no command gives results by them, unless somebody asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo import cli
from mindzoo.models import create_model, get_spec
from mindzoo.tests.support import weight_files
from mindzoo.tests.support.retrieval_files import HOW, run, save_tiny_checkpoint
from mindzoo.tests.support.trainings import newest_run, training
from mindzoo.utils import commands, files
from mindzoo.utils.checkpoints import checkpoint_file, soundness

WEIGHTS = weight_files.tiny_weights()
VARIANCE = "backbone.features.norm5.moving_variance"


def changed(name: str, value: float) -> dict[str, np.ndarray]:
    array = WEIGHTS[name].copy()
    array.flat[0] = value
    return {**WEIGHTS, name: array}


FAULTS = {
    "NaN": (changed("head.fc.weight", np.nan), "holds values that are not finite, the first in head.fc.weight"),
    "infinity": (changed("head.fc.bias", np.inf), "holds values that are not finite, the first in head.fc.bias"),
    "a negative variance": (changed(VARIANCE, -1), f"holds a negative variance, in {VARIANCE}"),
}


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A checkpoint with NaN in its classifier."""
    (tmp_path / "bad.ckpt").write_bytes(weight_files.ours(FAULTS["NaN"][0], classes=["blue", "green", "red"]))
    return tmp_path / "bad.ckpt"


@pytest.mark.parametrize("case", FAULTS)
def test_what_no_weights_can_be_is_named(case: str) -> None:
    weights, words = FAULTS[case]
    assert soundness.fault(weights) == words
    assert soundness.fault(WEIGHTS) is None


def words(command: str, bad: Path, colors: Path) -> list[str]:
    common = ["--checkpoint", str(bad), "--device_target", "CPU"]
    return {
        "eval": [
            "eval",
            "densenet121",
            *common,
            "--data_dir",
            str(colors),
            "--is_distributed",
            "0",
            "--output_dir",
            "out",
        ],
        "predict": ["predict", "densenet121", *common, str(colors / "val" / "red"), "--output", "rows.json"],
        "export": ["export", "densenet121", *common, "--file_name", "net"],
        "embed": ["embed", "densenet121", *common, "--images", str(colors / "val"), "--output", "vectors.npy"],
    }[command]


@pytest.mark.parametrize("command", ["eval", "predict", "export", "embed"])
@pytest.mark.parametrize("case", FAULTS)
def test_commands_refuse_them(
    tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str], command: str, case: str
) -> None:
    weights, reason = FAULTS[case]
    (tmp_path / "bad.ckpt").write_bytes(weight_files.ours(weights))
    assert cli.main(words(command, tmp_path / "bad.ckpt", colors)) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'bad.ckpt'} {reason}; use another checkpoint, or give --allow_nonfinite" in error
    assert len(error.splitlines()) == 1
    assert list(Path.cwd().iterdir()) == []


def test_the_weights_that_are_asked_for_decide(tmp_path: Path, colors: Path) -> None:
    """The averaged ones are sound, the others are not."""
    both = {**FAULTS["NaN"][0], **{f"ema.{name}": value for name, value in WEIGHTS.items()}}
    (tmp_path / "both.ckpt").write_bytes(weight_files.ours(both))
    flags = words("predict", tmp_path / "both.ckpt", colors)
    assert cli.main(flags) == 0
    assert cli.main([*flags, "--weights", "raw"]) == 2


def no_constant(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def test_the_curious_see_results_and_json_holds_no_nan(
    bad: Path, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words("predict", bad, colors), "--allow_nonfinite"]) == 0
    said = capsys.readouterr()
    assert "not finite, the first in head.fc.weight: results mean nothing" in said.out + said.err
    assert "blue nan, " in said.out
    assert "nan%" not in said.out
    rows = json.loads(Path("rows.json").read_text(), parse_constant=no_constant)
    assert {entry["probability"] for row in rows for entry in row["classes"]} == {None}
    assert cli.main([*words("eval", bad, colors), "--allow_nonfinite", "1"]) == 0
    (row,) = (newest_run(Path("out")) / "metrics.jsonl").read_text().splitlines()
    assert json.loads(row, parse_constant=no_constant)["loss"] is None


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX"])
def test_an_export_of_them_is_written_and_not_compared(bad: Path, colors: Path, file_format: str) -> None:
    flags = [*words("export", bad, colors), "--allow_nonfinite", "--file_format", file_format]
    assert cli.main(flags) == 0
    facts = json.loads(Path(f"net.{file_format.lower()}.json").read_text(), parse_constant=no_constant)
    assert facts["verification"] == {
        "verified": False,
        "reason": "the checkpoint holds values that are not finite, the first in head.fc.weight, and --allow_nonfinite was given",
    }


def test_an_export_of_sound_weights_is_compared_all_the_same(tmp_path: Path, colors: Path) -> None:
    (tmp_path / "good.ckpt").write_bytes(weight_files.ours(WEIGHTS))
    assert cli.main([*words("export", tmp_path / "good.ckpt", colors), "--allow_nonfinite"]) == 0
    assert json.loads(Path("net.mindir.json").read_text())["verification"]["verified"]


def test_convert_says_it_and_goes_on(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["convert", str(bad), "converted.ckpt"]) == 0
    said = capsys.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if "not finite" in line]
    assert len(lines) == 1
    assert "the first in head.fc.weight: results mean nothing" in lines[0]
    found = checkpoint_file.read_checkpoint(Path("converted.ckpt"), get_spec("densenet121"))
    assert np.isnan(found.weights["head.fc.weight"]).any()


def test_query_refuses_them(tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_tiny_checkpoint(tmp_path / "tiny.ckpt")
    common = ["--checkpoint", source, "--device_target", "CPU"]
    assert run("embed", "densenet121", *common, "--images", colors / "val", "--output", tmp_path / "v.npy") == 0
    found = checkpoint_file.read_checkpoint(source, get_spec("densenet121"))
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in found.weights.items()}
    rows["head.fc.bias"] = ms.Parameter(ms.Tensor([np.nan] * 3, ms.float32))
    checkpoint_file.save_checkpoint(source, rows, found.meta)
    facts = tmp_path / "v.npy.json"
    facts = facts if facts.exists() else next(path for path in tmp_path.glob("v*json*") if "sha256" in path.read_text())
    content: dict[str, Any] = json.loads(facts.read_text())
    content["checkpoint"]["sha256"] = files.sha256(source)
    facts.write_text(json.dumps(content))
    assert run("index", tmp_path / "v.npy", "--output", tmp_path / "i") == 0
    capsys.readouterr()
    assert run("query", "densenet121", *common, "--index", tmp_path / "i", colors / "val" / "red") == 2
    assert "not finite, the first in head.fc.bias; use another checkpoint\n" in capsys.readouterr().err


def test_an_exponent_is_not_fitted_to_them(tmp_path: Path, colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"layers": [1, 1, 1, 1], "base_width": 4, "gem_p": 2.5}
    network = create_model("multigrain", num_classes=3, **options)
    network.end_point.bias.set_data(ms.Tensor([np.inf, 0, 0], ms.float32))
    meta = {"network": "multigrain", "options": options, "num_classes": 3, "preprocessing": HOW.to_dict()}
    checkpoint_file.save_checkpoint(tmp_path / "x.ckpt", network.parameters_dict(), meta)
    flags = ["--checkpoint", tmp_path / "x.ckpt", "--data_path", colors, "--device_target", "CPU"]
    assert run("fit-exponent", "multigrain", *flags) == 2
    assert "not finite, the first in end_point.bias; use another checkpoint, or" in capsys.readouterr().err


def test_no_training_begins_from_them(
    bad: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--pretrained", str(bad), "--growth_rate", "2", "--init_features", "4"]
    assert commands.train(get_spec("densenet121"), training(colors, tmp_path / "out", *flags)) == 2
    assert "not finite, the first in head.fc.weight; use another checkpoint\n" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
