"""A network's ONNX file in ONNX Runtime on one batch that is in memory."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

from mindzoo.scripts.dev.bench.serving import Step, cores, serve  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Load the file and take the first batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(settings["file"], options, providers=["CPUExecutionProvider"])
    batch, size = settings["batch"], settings["size"]
    images = np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32)
    name = session.get_inputs()[0].name

    def step() -> int:
        session.run(None, {name: images})
        return batch

    step()
    return step


if __name__ == "__main__":
    serve(prepare)
