"""A training step of mindcv's network in MindSpore on one batch that is in memory."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import mindcv  # noqa: E402
import mindspore as ms  # noqa: E402
import numpy as np  # noqa: E402
from mindspore import nn  # noqa: E402

from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Build network, loss and optimizer with mindcv, and take the first step."""
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(1)
    network = mindcv.create_model(settings["model"], num_classes=settings["classes"])
    loss = mindcv.create_loss(name="CE", label_smoothing=0.1)
    update = mindcv.create_optimizer(
        network.trainable_params(), opt="momentum", lr=0.01, weight_decay=1e-4, momentum=0.9, filter_bias_and_bn=True
    )
    train_step = nn.TrainOneStepCell(nn.WithLossCell(network, loss), update).set_train()
    batch, size = settings["batch"], settings["size"]
    images = ms.Tensor(np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32))
    labels = ms.Tensor(np.arange(batch, dtype=np.int32) % settings["classes"])

    def step() -> int:
        train_step(images, labels).asnumpy()
        return batch

    step()
    return step


if __name__ == "__main__":
    serve(prepare)
