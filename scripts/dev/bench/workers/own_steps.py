"""mindzoo's training step on one batch that is in memory."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import mindspore as ms  # noqa: E402
import numpy as np  # noqa: E402

from mindzoo.scripts.dev.bench import own_training  # noqa: E402
from mindzoo.scripts.dev.bench.own_training import Built  # noqa: E402
from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.utils.compiling import graphs  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Build and compile the step as a training does, and take the first one."""
    step = compiled_step(own_training.build(settings), settings)
    step()
    return step


def compiled_step(built: Built, settings: dict[str, Any]) -> Step:
    """The step of a training on one batch in memory."""
    train_step = built.run.train_step
    batch, size = settings["batch"], settings["size"]
    draw = np.random.default_rng(0)
    images = ms.Tensor(draw.standard_normal((batch, 3, size, size)).astype(np.float32))
    labels = ms.Tensor(np.arange(batch, dtype=np.int32) % settings["classes"])
    graphs.compile_cell(train_step, "the training step", (images, labels))

    def step() -> int:
        loss = train_step(images, labels).asnumpy()
        assert np.isfinite(loss).all(), loss
        return batch

    return step


if __name__ == "__main__":
    serve(prepare)
