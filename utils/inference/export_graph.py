"""A network as a file of one of three formats, and what the file computes when it is loaded again."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import compat
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.engine.difference import relative_difference
from mindzoo.utils.log import aside

INPUT, OUTPUT = "images", "logits"
SUFFIX = {"MINDIR": ".mindir", "ONNX": ".onnx", "AIR": ".air"}


class WithScaling(nn.Cell):
    """(B, H, W, 3) uint8 -> what the network gives for these images, scaled and normalised as `how` says."""

    def __init__(self, network: nn.Cell, how: Preprocessing) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.mean = Tensor(255 * np.array(how.mean), ms.float32)
        self.std = Tensor(255 * np.array(how.std), ms.float32)

    def construct(self, images: Tensor) -> Tensor:
        scaled = (images.astype(ms.float32) - self.mean) / self.std
        return self.network(scaled.transpose(0, 3, 1, 2))


def write(network: nn.Cell, batch: np.ndarray, file_format: str, folder: Path) -> Path:
    """Write into `folder`, the current one: MindSpore refuses a path with a blank or an umlaut in it.

    Raises:
        OSError: the disk is full.
    """
    path = folder / f"network{SUFFIX[file_format]}"
    if file_format == "ONNX":
        compat.export_onnx(network, Tensor(batch), path.name, INPUT, OUTPUT)
        if not path.is_file():  # MindSpore logs the reason, and goes on
            raise OSError(f"MindSpore left no {path.name}; the disk may be full")
        if importlib.util.find_spec("onnx"):
            _name_batch_axis(path)
    else:
        ms.export(network, Tensor(batch), file_name=path.stem, file_format=file_format)
    return path


def difference(network: nn.Cell, batch: np.ndarray, expected: np.ndarray, file_format: str, written: Path) -> float:
    """The relative difference of what the file computes; for ONNX also with another batch size.

    Args:
        network: that was written; an AIR cannot be loaded again, so a MINDIR is made of the same graph.
        batch: the file's input.
        expected: logits (B, K) of it.
    """
    if file_format == "ONNX":
        run = _onnx_runner(written)
        other = np.concatenate([batch, batch[:1]])
        return max(
            relative_difference(run(batch), expected),
            relative_difference(run(other), np.concatenate([expected, expected[:1]])),
        )
    if file_format == "AIR":
        aside("an AIR file cannot be loaded again: verifying a MINDIR of the same graph")
        written = write(network, batch, "MINDIR", written.parent)
    graph = nn.GraphCell(ms.load(written.name))
    return relative_difference(graph(Tensor(batch)).asnumpy(), expected)


def _name_batch_axis(path: Path) -> None:
    import onnx

    model = onnx.load(str(path))
    compat.name_batch_axis(model)
    onnx.save(model, str(path))


def _onnx_runner(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([OUTPUT], {INPUT: images})[0])

    return run
