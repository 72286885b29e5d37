"""JPEG files that cost as much to decode as photographs, made from seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

# The size of a typical ImageNet photograph.
PHOTO = (500, 375)
CLASSES = 10


def write_photos(folder: Path, count: int) -> None:
    """Smooth shapes with some noise, in ten class folders."""
    noise = np.random.default_rng(0)
    width, height = PHOTO
    for number in range(count):
        coarse = Image.fromarray(noise.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
            PHOTO, Image.Resampling.BICUBIC
        )
        pixels = np.asarray(coarse, np.int16) + noise.integers(-12, 13, (height, width, 3))
        target = folder / f"class{number % CLASSES}"
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(target / f"{number:05d}.jpg", quality=90)
