"""Small trainings and networks that several tests use."""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

COLORS = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (220, 40, 50)}
KEPT = ["--ema_decay", "0.5", "--is_dynamic_loss_scale", "1", "--loss_scale", "64"]


def write_images(folder: Path, color: tuple[int, int, int], count: int, seed: int = 0, size: int = 40) -> None:
    """`count` noisy PNG files of one colour."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.clip(np.array(color) + noise.normal(0, 25, (size, size, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03d}.png")


def tiny(network: str = "densenet121") -> list[str]:
    """Flags that make a network small enough to compile in a second or two, for 32-pixel images."""
    from mindzoo.models import get_spec
    from mindzoo.utils.config.reading import show

    flags = [word for name, value in get_spec(network).small.items() for word in (f"--{name}", show(value))]
    common = ["--image_size", "32", "--crop_pct", "1", "--device_target", "CPU", "--is_distributed", "0"]
    return common + flags


def training(data: Path, output: Path, *more: str) -> list[str]:
    """Flags of a small training; later flags win, so `more` may replace any of them."""
    small = ["--color_jitter", "", "--batch_size", "6", "--workers", "1", "--lr", "0.05", "--crop_scale", "0.5,1"]
    return [*tiny(), *small, "--data_dir", str(data), "--output_dir", str(output), *more]


def run_train(data: Path, output: Path, *more: str) -> Path:
    """Train with these flags, which must succeed; return the folder of the newest run in `output`."""
    from mindzoo.models.densenet121 import SPEC
    from mindzoo.utils import commands

    gc.collect()  # a cell that is collected after another was compiled makes MindSpore compile it again
    before = Path.cwd()
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)  # session fixtures run in the clone otherwise
    try:
        assert commands.train(SPEC, training(data, output, *more)) == 0
    finally:
        os.chdir(before)
    return newest_run(output)


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """`folder`, filled by the first process of this run that needs it; the others wait."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make(folder)
    return folder


def newest_run(output: Path) -> Path:
    """The folder of the newest run in `output`."""
    return max(entry for entry in output.iterdir() if entry.is_dir())


# Without randomness in the images a run is a function of weights and order only, also in the middle of an epoch.
PLAIN_IMAGES = ["--crop_scale", "1,1", "--crop_ratio", "1,1", "--flip_prob", "0"]


class Trained(NamedTuple):
    """A finished training: its data, output_dir, run folder and last checkpoint."""

    data: Path
    output: Path
    folder: Path
    checkpoint: Path
