"""The process that makes a graph: MindSpore exports the network, and what the graph computes is held against it.

Its input is the job, pickled by the process that started it; it writes the entry into its current folder.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import compat, environment
from mindzoo.utils.checkpoints.fitting import Slot
from mindzoo.utils.engine.difference import TOLERANCE, relative_difference
from mindzoo.utils.engine.heads import with_head
from mindzoo.utils.engine.network_graph import NAME, NetworkGraph, entry_of
from mindzoo.utils.engine.onnx_runner import OnnxRunner

IMAGES = 2  # to compare on: another number than the graph is exported with
EXPORTED, INPUT, OUTPUT = "network.onnx", "images", "output"


def main() -> None:
    job = pickle.load(sys.stdin.buffer)
    environment.limit_onednn()
    ms.set_context(mode=ms.PYNATIVE_MODE)
    entry, difference = make(job)
    if not difference <= TOLERANCE:
        raise SystemExit(f"the graph that MindSpore exports differs from the network by {difference:.1e}")
    Path(NAME).write_bytes(entry)


def make(job: Mapping[str, Any]) -> tuple[bytes, float]:
    """The entry for the store, and how much the graph differs from the network.

    It is exported with one set of weights and compared with another one, so that no value of the first can have
    become a constant unseen.
    """
    with compat.without_first_weights():
        network: nn.Cell = job["build"](job["classes"], **job["options"])
    cell = with_head(network, job["head"])
    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    random = np.random.default_rng(0)
    _give(parameters, {name: weights(random, name, one.shape) for name, one in parameters.items()})
    compat.export_onnx(cell, Tensor(np.zeros((1, 3, *job["size"]), np.float32)), EXPORTED, INPUT, OUTPUT)
    content, initializers = stripped(Path(EXPORTED), parameters)
    slots = {name: Slot.of(one) for name, one in parameters.items()}
    graph = NetworkGraph(content, initializers, slots)
    others = {name: weights(random, name, one.shape) for name, one in parameters.items()}
    _give(parameters, others)
    images = random.standard_normal((IMAGES, 3, *job["size"])).astype(np.float32)
    difference = relative_difference(OnnxRunner(graph, others)(images), cell(Tensor(images)).asnumpy())
    described = {name: (slot.shape, slot.of_fractions) for name, slot in slots.items()}
    return entry_of(content, initializers=initializers, slots=described), difference


def weights(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values that keep the size of what goes through a deep network; all of a parameter differ from call to call."""
    if len(shape) > 1:  # He et al. 2015, https://arxiv.org/abs/1502.01852
        scale = np.sqrt(2 / np.prod(shape[1:]))
        return (scale * random.standard_normal(shape)).astype(np.float32)
    if name.endswith(("gamma", "moving_variance")) or not shape:
        return np.asarray(random.uniform(0.5, 1.5, shape), np.float32)
    return (0.1 * random.standard_normal(shape)).astype(np.float32)


def stripped(path: Path, parameters: Mapping[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    """The graph without the values of the parameters, and the names of those that it uses."""
    import onnx

    model = onnx.load(str(path))
    used = [each for each in model.graph.initializer if each.name in parameters]
    for each in used:
        empty = onnx.TensorProto(name=each.name, data_type=each.data_type, dims=each.dims)
        empty.data_location = onnx.TensorProto.EXTERNAL
        empty.external_data.add(key="location", value="the checkpoint")
        each.CopyFrom(empty)
    compat.name_batch_axis(model)
    return model.SerializeToString(), tuple(each.name for each in used)


def _give(parameters: Mapping[str, ms.Parameter], values: Mapping[str, np.ndarray]) -> None:
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(values[name], parameter.dtype))
