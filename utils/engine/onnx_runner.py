"""A network's graph with the weights of a checkpoint, computed by ONNX Runtime; MindSpore is not needed for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mindzoo.utils.cluster.cores import computing_threads
from mindzoo.utils.engine.network_graph import NetworkGraph


class OnnxRunner:
    """Images (B, 3, H, W) float32 -> outputs (B, D), or maps (B, C, h, w), float32, for any B.

    Args:
        weights: the values of all parameters that the graph uses, by name. They must not be changed any more: those that
            are float32 in the order of C are not copied.
    """

    def __init__(self, graph: NetworkGraph, weights: Mapping[str, np.ndarray]) -> None:
        import onnxruntime

        # ONNX Runtime looks at these arrays as long as the session lives, and does not copy them. Those of a file are taken
        # as they are: a copy of them would be as large as the checkpoint.
        self.weights = {name: np.require(weights[name], np.float32, ("C", "A")) for name in graph.initializers}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in self.weights.values()]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = computing_threads()
        # Threads that wait by counting take the cores from those that read images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_external_initializers(list(self.weights), values)
        self.session = onnxruntime.InferenceSession(graph.content, options, providers=["CPUExecutionProvider"])
        self.given, self.wanted = self.session.get_inputs()[0].name, self.session.get_outputs()[0].name

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run([self.wanted], {self.given: images})[0])

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Nothing is to be done for a new shape."""
