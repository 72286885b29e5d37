"""A script as users of timm write it: evaluates, embeds or classifies the images below a folder, from start to end."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import numpy as np  # noqa: E402
import torch  # noqa: E402

from mindzoo.scripts.dev.bench.workers import torch_models  # noqa: E402

TOP = 5


def main() -> int:
    settings = json.loads(sys.argv[1])
    model = torch_models.network(settings)
    checkpoint = Path(settings["checkpoint"])
    if settings["task"] == "make":
        torch.save(model.state_dict(), checkpoint)
        return 0
    model.load_state_dict(torch.load(checkpoint, weights_only=True))
    model.eval()
    task = {"evaluate": evaluate, "embed": embed, "predict": predict}[settings["task"]]
    with torch.inference_mode():
        task(model, torch_models.middles(settings), settings)
    return 0


def evaluate(model: Any, batches: torch.utils.data.DataLoader, _: dict[str, Any]) -> None:
    """The hits among the first and the first five classes."""
    first = five = 0
    for images, labels in batches:
        best = model(images.to(memory_format=torch.channels_last)).topk(TOP).indices
        first += int((best[:, 0] == labels).sum())
        five += int((best == labels[:, None]).sum())
    print(first, five)


def embed(model: Any, batches: torch.utils.data.DataLoader, settings: dict[str, Any]) -> None:
    """A file with what the classifier sees of each image."""
    channels_last = (images.to(memory_format=torch.channels_last) for images, _ in batches)
    vectors = [model.forward_head(model.forward_features(images), pre_logits=True) for images in channels_last]
    np.save(settings["output"], torch.cat(vectors).numpy())


def predict(model: Any, batches: torch.utils.data.DataLoader, _: dict[str, Any]) -> None:
    """A line with the five most probable classes of each image."""
    paths = iter(batches.dataset.samples)
    for images, _labels in batches:
        shares = model(images.to(memory_format=torch.channels_last)).softmax(1).topk(TOP)
        for values, classes in zip(shares.values.tolist(), shares.indices.tolist(), strict=True):
            print(next(paths)[0], *(f"{name} {value:.1%}" for name, value in zip(classes, values, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
