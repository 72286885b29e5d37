"""The same small training twice, with a data sink and step by step: the losses of its epochs must be the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from mindzoo.utils import commands
from mindzoo.utils.config.reading import show
from mindzoo.utils.records import METRICS
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight
from mindzoo.utils.spec import ModelSpec

CLASSES, IMAGES, SIDE = ("dark", "light"), 9, 40  # images of each class, and their side in pixels
# Relative: a sink may be compiled in another way.
TOLERANCE = {"CPU": 1e-6, "Ascend": 1e-2}


def compare(job: Job) -> Found:
    """Two epochs of three steps each.

    Raises:
        NotRight: a training fails, or their losses differ.
    """
    write_images(job.folder / "data")
    stepped, sunk = (losses(job, sunk=sunk) for sunk in (False, True))
    difference = max(abs(a - b) / abs(b) for a, b in zip(sunk, stepped, strict=True))
    tolerance = TOLERANCE[job.device]
    numbers = {"sunk": sunk, "stepped": stepped, "tolerance": tolerance, "network": job.specs[0].name}
    said = f"losses {_shown(sunk)}; step by step {_shown(stepped)}"
    if not difference <= tolerance:
        raise NotRight(f"{said}: they differ by {difference:.1e}; wanted at most {tolerance:g}")
    return said + ("" if job.device == "Ascend" else "; the CPU has no sink, only the code around it is tried"), numbers


def losses(job: Job, *, sunk: bool) -> list[float]:
    """The loss at the end of each epoch.

    Raises:
        NotRight: the training fails.
    """
    output = job.folder / ("sunk" if sunk else "stepped")
    if commands.train(job.specs[0], flags(job.specs[0], job, output, sunk=sunk), "selftest"):
        raise NotRight(f"the training {'with' if sunk else 'without'} a sink fails; its log says why")
    (path,) = output.rglob(METRICS)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["loss"] for row in rows if row["kind"] == "epoch"]


def flags(spec: ModelSpec, job: Job, output: Path, *, sunk: bool) -> list[str]:
    """Of `mindzoo train`: the small network, in the precision that the device's default is."""
    values = {
        "image_size": 32, "crop_pct": 1, **spec.small, "data_dir": job.folder / "data", "output_dir": output,
        "device_target": job.device, "is_distributed": 0, "batch_size": 6, "max_epoch": 2, "lr": 0.01, "workers": 1,
        "optimizer": "momentum", "save_checkpoint": 0, "sink_mode": int(sunk),
    }  # fmt: skip
    return [word for name, value in values.items() for word in (f"--{name}", show(value))]


def write_images(root: Path) -> None:
    """Class folders of noise."""
    draw = np.random.RandomState(1)
    for number, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for image in range(IMAGES):
            pixels = draw.randint(0, 128, (SIDE, SIDE, 3)) + 127 * number
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{image}.png")


def _shown(values: list[float]) -> str:
    return ", ".join(f"{value:.5f}" for value in values)
