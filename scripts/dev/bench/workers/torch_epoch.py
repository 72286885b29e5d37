"""Epochs of a PyTorch training on JPEG files, each with its checkpoint at the end."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import torch  # noqa: E402

from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.scripts.dev.bench.workers import torch_models  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Build network, optimizer and loader."""
    model = torch_models.network(settings).train()
    update, loader = torch_models.optimizer(model), torch_models.training_batches(settings)

    def epoch() -> int:
        images_seen = 0
        for images, labels in loader:
            torch_models.train_on(model, update, images.to(memory_format=torch.channels_last), labels)
            images_seen += len(images)
        torch_models.save(model, update, settings)
        return images_seen

    return epoch


if __name__ == "__main__":
    serve(prepare)
