"""A training of a single step on JPEG files with timm's network in PyTorch, from start to checkpoint."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import torch  # noqa: E402

from mindzoo.scripts.dev.bench.workers import torch_models  # noqa: E402


def main() -> int:
    settings = json.loads(sys.argv[1])
    model = torch_models.network(settings).train()
    update = torch_models.optimizer(model)
    images, labels = next(iter(torch_models.training_batches(settings)))
    torch_models.train_on(model, update, images.to(memory_format=torch.channels_last), labels)
    torch_models.save(model, update, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
