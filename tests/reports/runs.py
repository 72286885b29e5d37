"""Run folders made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mindzoo.utils.reports import predictions
from mindzoo.utils.reports.predictions import Predictions

HOSTILE = (
    "</script><script>alert(1)</script>", "\"quotes\" 'and' <b>bold</b>&amp;", "-->", "\u202eevil\u202c", "قطط", "a\nb", "x" * 200,
)  # fmt: skip


def write_run(
    folder: Path, *, classes: int = 7, images: int = 70, epochs: int = 3, root: Path | None = None, wrong: int = 4
) -> Predictions:
    """A training whose last evaluation has predictions; the first classes have hostile names.

    Args:
        wrong: each image whose number can be divided by it is taken for the next class.
    """
    folder.mkdir(parents=True)
    chance = np.random.default_rng(1)
    names = (*HOSTILE, *(f"n{number:08d}" for number in range(len(HOSTILE), classes)))
    labels = np.sort(np.arange(images) % classes).astype(np.int32)
    first = np.where(np.arange(images) % wrong == 0, (labels + 1) % classes, labels)
    best = (first[:, None] + np.arange(5)) % classes
    shares = np.sort(chance.dirichlet([4, 1, 0.5, 0.3, 0.2], images), 1)[:, ::-1]
    files = tuple(f"{names[label]}/{place:05d}.png".replace("</", "<") for place, label in enumerate(labels))
    found = Predictions(str(root or folder / "nowhere"), names, files, labels, best.astype(np.int32), shares)
    predictions.write(folder / "predictions.jsonl", found)
    rows = []
    for epoch in range(epochs):
        rows.append({"kind": "epoch", "epoch": epoch, "epochs": epochs, "mean_loss": 2.5 / (epoch + 1), "lr": 0.1})
        counts = {"top1": int(found.hits.sum()), "top5": images, "total": images, "k": 5, "loss": 2.0}
        rows.append({"kind": "evaluation", "epoch": epoch, **counts, "predictions": "predictions.jsonl"})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.yaml").write_text("lr: 0.1\nimage_size: [32, 32]\nnote: '<i>'\n")
    (folder / "environment.json").write_text(
        json.dumps({"network": "tiny_net", "python": "3.11", "command": ["mindzoo", "train", "a b"]})
    )
    return found
