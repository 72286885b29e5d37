"""Write scikit-learn's handwritten digits as class folders of PNG files: FOLDER/train and FOLDER/val.

The split is stratified and fixed: every fifth image of each digit, in the order of the data set, is for validation.
A folder that is already complete is left as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils.files import new_folder  # noqa: E402

SIZE = 32  # pixels per side; the originals have 8
VALIDATION_EVERY = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where train/ and val/ are made")
    folder = parser.parse_args().folder
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        sys.stdout.write(f"{folder} is there already\n")
        return 0
    if folder.exists() and any(folder.iterdir()):
        sys.stderr.write(f"error: {folder} holds something else; name a new folder\n")
        return 2
    if importlib.util.find_spec("sklearn") is None:
        sys.stderr.write('error: the package scikit-learn is not installed; pip install -e ".[demo]" brings it\n')
        return 2
    counts = write(folder)
    sys.stdout.write(f"{folder}: {counts['train']} images in train, {counts['val']} in val, 10 classes\n")
    return 0


def write(folder: Path) -> dict[str, int]:
    """Write both parts; how many images they have."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    counts = {"train": 0, "val": 0}
    seen = np.zeros(10, int)
    with new_folder(folder) as unfinished:
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            part = "val" if seen[label] % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"
            seen[label] += 1
            counts[part] += 1
            target = unfinished / part / str(label)
            target.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
            image.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(target / f"{number:04d}.png")
    return counts


if __name__ == "__main__":
    raise SystemExit(main())
