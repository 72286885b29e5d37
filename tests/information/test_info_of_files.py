"""`mindzoo info FILE`: what is said of checkpoints and exported files, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo import cli
from mindzoo.tests.support.trainings import Trained
from mindzoo.tests.support.weight_files import META, of_torch, onnx_file, ours, safetensors, tiny_weights

FACTS = {
    **{name: META[name] for name in ("network", "options", "classes")},
    "preprocessing": {**META["preprocessing"], "orientation": "stored", "steps": []},
    "output": {"shape": ["any", 3]},
    "format": "MINDIR",
    "verification": {"verified": True},
    "mindspore": "2.10.0",
}


def info(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, Any]]:
    """What is shown, and what is written."""
    assert cli.main(["info", str(path), "--output", "info.json"]) == 0
    return capsys.readouterr().out.splitlines(), json.loads(Path("info.json").read_text())


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["info", *words]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


def row(lines: list[str], label: str) -> str:
    (line,) = (line for line in lines if line.startswith(f"{label} "))
    return line[16:]


def exported(path: Path, content: bytes, **changes: Any) -> Path:
    path.write_bytes(content)
    facts = {**FACTS, "file": {"name": path.name, "sha256": hashlib.sha256(content).hexdigest()}, **changes}
    path.with_name(f"{path.name}.json").write_text(json.dumps(facts))
    return path


def test_a_checkpoint_of_a_training(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    lines, facts = info(trained.checkpoint, capsys)
    assert row(lines, "network") == "densenet121 (DenseNet-121), from mindzoo"
    assert row(lines, "classes") == "3: blue, green, red"
    assert row(lines, "stands at") == "step 24: step 6 of 6 in epoch 4"
    assert "--resume" in row(lines, "training")
    assert facts["sha256"] == hashlib.sha256(trained.checkpoint.read_bytes()).hexdigest()
    assert facts["bytes"] == trained.checkpoint.stat().st_size
    assert facts["preprocessing"]["image_size"] == [32, 32]
    assert facts["weights"]["averaged_numbers"] == facts["weights"]["numbers"]
    assert facts["weights"]["fault"] is None
    assert facts["history"]["best"]["accuracy"] > 0
    assert facts["history"]["config"]["lr"] == 0.05


def test_the_folder_of_a_run_is_its_best_checkpoint(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    lines, facts = info(trained.folder, capsys)
    assert facts["file"] == str(trained.folder / "best.ckpt")
    assert lines[0] == f"the checkpoint of {trained.folder} is best.ckpt"


def test_weights_of_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(of_torch(tiny_weights())))
    lines, facts = info(path, capsys)
    assert facts["network"] == "densenet121"
    assert facts["origin"] != "mindzoo"
    assert facts["options"]["flavour"] == "paper"
    assert row(lines, "classes") == "3, without names"
    assert "--pretrained" in row(lines, "training")
    assert "--resume" not in row(lines, "training")
    assert not facts["history"]


def test_a_file_whose_weights_are_no_numbers_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tiny_weights()
    weights["head.fc.bias"][0] = np.nan
    path = tmp_path / "x.ckpt"
    path.write_bytes(ours(weights))
    lines, _ = info(path, capsys)
    assert "not finite, the first in head.fc.bias" in row(lines, "weights")


def test_exported_files_and_the_facts_beside_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, onnx = info(exported(tmp_path / "x.onnx", onnx_file(tiny_weights()), format="ONNX"), capsys)
    lines, mindir = info(exported(tmp_path / "x.mindir", b"a graph"), capsys)
    assert onnx["weights"]["numbers"] == sum(value.size for value in tiny_weights().values())
    assert mindir["weights"] is None
    assert row(lines, "training").startswith("cannot start from it")
    assert row(lines, "verification") == "verified true"
    for facts, kind in ((onnx, "ONNX"), (mindir, "MINDIR")):
        assert facts["classes"] == META["classes"]
        assert facts["export"]["format"] == kind
        assert not facts["can_go_on"]


def test_what_is_no_file_of_a_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, graph, other = tmp_path / "notes.ckpt", tmp_path / "x.mindir", tmp_path / "other.ckpt"
    text.write_text("not a checkpoint")
    graph.write_bytes(b"a graph")
    other.write_bytes(ours(tiny_weights(), network="resnet18"))
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(ours(tiny_weights())[:-100])
    (tmp_path / "folder").mkdir()
    for path, wanted in (
        (text, "it is a text"),
        (graph, "there is no file"),
        (other, "is a checkpoint of resnet18, not of densenet121"),
        (cut, "is damaged"),
        (tmp_path / "folder", "name a file in it"),
        (tmp_path / "missing.ckpt", "is missing"),
        (exported(tmp_path / "y.mindir", b"a graph", file={"sha256": "0"}), "is of another file than y.mindir"),
        (exported(tmp_path / "z.mindir", b"a graph", network="resnet18"), "is of resnet18, not of densenet121"),
        (exported(tmp_path / "v.mindir", b"a graph", options={"flavour": 3}), "is damaged"),
    ):
        assert wanted in refused([str(path)], capsys)
    assert "found 2 files" in refused([str(text), str(cut)], capsys)
    assert "ends in .json" in refused([str(text), "--output", "x.txt"], capsys)


def test_hostile_names_do_nothing_to_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = ["\x1b[2J\nerror: none", "<script>\u202e", "x" * 900]
    path = tmp_path / "<b>'\".ckpt"
    path.write_bytes(ours(tiny_weights(), classes=classes))
    lines, facts = info(path, capsys)
    assert facts["classes"] == classes
    assert row(lines, "classes") == f"3: \\x1b[2J\\nerror: none, <script>\\u202e, {'x' * 18}...{'x' * 18}"
    assert not any("\x1b" in line for line in lines)
