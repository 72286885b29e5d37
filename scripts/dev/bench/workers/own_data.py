"""Batches of a training, read, decoded and augmented by mindzoo, and dropped."""

from __future__ import annotations

import itertools
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import numpy as np  # noqa: E402

from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.utils import log  # noqa: E402
from mindzoo.utils.config.keys import TrainConfig  # noqa: E402
from mindzoo.utils.data import data_set  # noqa: E402
from mindzoo.utils.data.loader import TrainData  # noqa: E402
from mindzoo.utils.data.transforms import training_operations  # noqa: E402
from mindzoo.utils.runtime import World  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Open the data and take the first batch."""
    log.start(console=False)
    data = TrainData(
        data_set.open_set(Path(settings["photos"])),
        training_operations(TrainConfig(image_size=(settings["size"],))),
        batch_size=settings["batch"],
        world=World(),
        seed=1,
        workers=0,
    )
    batches = all_batches(data)

    def step() -> int:
        images, _ = next(batches)
        return len(images)

    step()
    return step


def all_batches(data: TrainData) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Epoch after epoch."""
    for epoch in itertools.count():
        yield from data.epoch(epoch).create_tuple_iterator(num_epochs=1, output_numpy=True)


if __name__ == "__main__":
    serve(prepare)
