"""Weights are put into a session as they are in memory, where ONNX Runtime can take them so."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mindzoo.utils.engine import graph_maker
from mindzoo.utils.engine.network_graph import NetworkGraph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from mindzoo.utils.engine.onnx_runner import OnnxRunner  # noqa: E402

INPUTS, OUTPUTS = 3 * 16 * 16, 50
WEIGHT, BIAS = "dense.weight", "dense.bias"


@pytest.fixture
def graph(tmp_path: Path) -> NetworkGraph:
    """One dense layer."""
    from onnx import TensorProto, helper, numpy_helper

    values = {WEIGHT: np.zeros((OUTPUTS, INPUTS), np.float32), BIAS: np.zeros(OUTPUTS, np.float32)}
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Gemm", ["flat", WEIGHT, BIAS], ["logits"], transB=1),
    ]
    given, wanted = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", ["batch", 3, 16, 16]), ("logits", ["batch", OUTPUTS]))
    )
    initializers = [numpy_helper.from_array(value, name) for name, value in values.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "dense", [given], [wanted], initializers), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "whole.onnx"))
    content, names = graph_maker.stripped(tmp_path / "whole.onnx", values)
    return NetworkGraph(content, names, {})


def weights(seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {WEIGHT: draw.normal(size=(OUTPUTS, INPUTS)).astype(np.float32), BIAS: np.ones(OUTPUTS, np.float32)}


def test_weights_are_not_copied_and_live_as_long_as_the_session(graph: NetworkGraph) -> None:
    given = weights(0)
    images = np.random.default_rng(1).normal(size=(2, 3, 16, 16)).astype(np.float32)
    wanted = images.reshape(2, -1) @ given[WEIGHT].T + given[BIAS]
    runner = OnnxRunner(graph, given)
    assert all(np.shares_memory(runner.weights[name], given[name]) for name in given)
    del given
    gc.collect()
    held = [weights(seed) for seed in range(2, 20)]  # takes memory that was given back
    np.testing.assert_allclose(runner(images), wanted, rtol=1e-4, atol=1e-4)
    del held


def unaligned(value: np.ndarray) -> np.ndarray:
    """The same numbers, beginning at a byte that is no multiple of four."""
    return np.frombuffer(b"x" + value.tobytes(), np.uint8)[1:].view(np.float32).reshape(value.shape)


@pytest.mark.parametrize(
    "made",
    [np.asfortranarray, unaligned, lambda value: value.astype(np.float64), lambda value: value.astype(">f4")],
    ids=["columns first", "not aligned", "float64", "bytes in the other order"],
)
def test_weights_of_another_kind_are_copied(graph: NetworkGraph, made: Callable[[np.ndarray], np.ndarray]) -> None:
    given = weights(0)
    images = np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)
    expected = OnnxRunner(graph, given)(images)
    found = OnnxRunner(graph, {**given, WEIGHT: made(given[WEIGHT])})
    assert found.weights[WEIGHT].flags.aligned
    np.testing.assert_array_equal(found(images), expected)
