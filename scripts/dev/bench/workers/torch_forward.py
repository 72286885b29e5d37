"""timm's network in PyTorch on one batch that is in memory."""

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
    """Build the network and take the first batch."""
    model = torch_models.network(settings).eval()
    batch, size = settings["batch"], settings["size"]
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)

    def step() -> int:
        with torch.inference_mode():
            model(images).numpy()
        return batch

    step()
    return step


if __name__ == "__main__":
    serve(prepare)
