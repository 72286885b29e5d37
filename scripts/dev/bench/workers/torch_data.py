"""Batches of a training, read, decoded and augmented by torchvision, and dropped."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)


from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.scripts.dev.bench.workers import torch_models  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Open the data and take the first batch."""
    batches = torch_models.epochs(torch_models.training_batches(settings))

    def step() -> int:
        images, _ = next(batches)
        return len(images)

    step()
    return step


if __name__ == "__main__":
    serve(prepare)
