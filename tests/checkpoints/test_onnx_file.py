"""ONNX files as checkpoints: whose weights are read, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.networks import undrawn, weights_of
from mindzoo.tests.support.weight_files import onnx_file as onnx_bytes
from mindzoo.utils.checkpoints import checkpoint_file, onnx_file, raw_file
from mindzoo.utils.errors import UserError

onnx = pytest.importorskip("onnx")

FACTS = {
    "network": "densenet121",
    "options": {},
    "classes": ["a", "b", "c"],
    "output": {"shape": ["any", 3]},
    "preprocessing": {
        "image_size": [32, 32],
        "crop_pct": 1.0,
        "resize_mode": "square",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "orientation": "stored",
        "steps": [],
    },
}


def written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path.write_bytes(onnx_bytes(arrays))
    return path


def described(path: Path, **changes: Any) -> Path:
    facts = {**FACTS, "file": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, **changes}
    path.with_name(f"{path.name}.json").write_text(json.dumps(facts))
    return path


def small_weights() -> dict[str, np.ndarray]:
    with undrawn():
        return weights_of(SPEC.build(3, block_config=(1, 1), growth_rate=4, init_features=8))


def test_weights_are_read_and_the_graph_s_own_values_are_not(tmp_path: Path) -> None:
    weights = small_weights()
    path = written(tmp_path / "x.onnx", {**weights, "Default/pool/data-0": np.ones(2), "onnx::Conv_7": np.ones(3)})
    found = checkpoint_file.read_checkpoint(path, SPEC)
    assert found.weights.keys() == weights.keys()
    assert found.origin != checkpoint_file.OURS
    assert found.classes == []


def test_the_facts_of_an_export_are_those_of_a_checkpoint(tmp_path: Path) -> None:
    path = described(written(tmp_path / "x.onnx", small_weights()))
    found = checkpoint_file.read_checkpoint(path, SPEC)
    assert found.origin == checkpoint_file.OURS
    assert found.classes == ["a", "b", "c"]
    assert found.meta["preprocessing"]["mean"] == [0.5, 0.5, 0.5]


def test_numbers_are_no_names(tmp_path: Path) -> None:
    path = described(written(tmp_path / "x.onnx", small_weights()), classes=["0", "1", "2"])
    assert checkpoint_file.read_checkpoint(path, SPEC).classes == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": {"sha256": "0"}}, "is of another file than x.onnx"),
        ({"file": []}, "does not say what x.onnx is"),
        ({"classes": 7}, "does not say what x.onnx is"),
        ({"output": {"shape": [1]}}, "does not say what x.onnx is"),
        ({"network": 3}, "does not say of which network"),
        ({"options": []}, "options is"),
        ({"output": {"shape": [1, 2]}}, "3 class names for 2 outputs"),
    ],
)
def test_facts_that_are_wrong_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = described(written(tmp_path / "x.onnx", small_weights()), **changes)
    with pytest.raises(UserError, match=words):
        checkpoint_file.read_checkpoint(path, SPEC)


def apart(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.ClearField("raw_data")


def short(model: Any) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]


def huge(model: Any) -> None:
    model.graph.initializer[0].dims[0] = 1 << 60


def strange(model: Any) -> None:
    model.graph.initializer[0].data_type = 99


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (apart, "has its weights in another file"),
        (short, "a weight cannot be read"),
        (huge, "a weight cannot be read"),
        (strange, "a weight cannot be read"),
    ],
)
def test_damaged_weights_are_refused(tmp_path: Path, damage: Callable[[Any], None], words: str) -> None:
    path = written(tmp_path / "x.onnx", {"a": np.ones((2, 2), np.float32)})
    model = onnx.load(str(path))
    damage(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=words):
        raw_file.read_raw(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.onnx", small_weights())
    content = path.read_bytes()
    for length in (60, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"x\.onnx"):
            checkpoint_file.read_checkpoint(path, SPEC)


def test_without_the_package_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x.onnx", {"a": np.ones(2)})
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnx"):
        raw_file.read_raw(path)
