"""Write scikit-learn's handwritten digits as class folders of PNG files: FOLDER/train and FOLDER/val.

The split is stratified and fixed: every fifth image of each digit, in the order of the data set, is for validation.
A folder that is already complete is left as it is.

With --long_tail RATIO the classes have very different sizes, as those of RP2K have: half of the zeros are for training, and each
further digit has fewer images by a power law, down to one RATIO-th for the nines. Validation has the same sizes, but ten images at least.
"""

from __future__ import annotations

import argparse
import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils.files import new_folder  # noqa: E402

SIZE = 32  # pixels per side; the originals have 8
VALIDATION_EVERY = 5
LARGEST, LEAST_VALIDATION = 89, 10  # images of a class of the long tail


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where train/ and val/ are made")
    parser.add_argument(
        "--long_tail", type=float, metavar="RATIO", help="images of the largest class for each of the smallest"
    )
    options = parser.parse_args()
    folder, ratio = options.folder, options.long_tail
    if ratio is not None and not 1 <= ratio <= LARGEST:
        sys.stderr.write(f"error: long_tail is {ratio:g}; wanted a number from 1 to {LARGEST}\n")
        return 2
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        sys.stdout.write(f"{folder} is there already\n")
        return 0
    if folder.exists() and any(folder.iterdir()):
        sys.stderr.write(f"error: {folder} holds something else; name a new folder\n")
        return 2
    if importlib.util.find_spec("sklearn") is None:
        sys.stderr.write('error: the package scikit-learn is not installed; pip install -e ".[demo]" brings it\n')
        return 2
    counts = write(folder, stratified if ratio is None else long_tailed(ratio))
    sys.stdout.write(f"{folder}: {counts['train']} images in train, {counts['val']} in val, 10 classes\n")
    return 0


Split = Callable[[int, int], str]  # digit, how many of it came before -> "train", "val", or "" for none


def stratified(_: int, before: int) -> str:
    """Every fifth image is for validation."""
    return "val" if before % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"


def long_tailed(ratio: float) -> Split:
    """The split whose classes fall by a power law, the last one having 1 / `ratio` of the images of the first."""
    sizes = np.rint(LARGEST * np.arange(1, 11) ** -np.log10(ratio)).astype(int)

    def split(digit: int, before: int) -> str:
        size = sizes[digit]
        return "train" if before < size else "val" if before < size + max(size, LEAST_VALIDATION) else ""

    return split


def write(folder: Path, split: Split) -> dict[str, int]:
    """Write both parts; how many images they have."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    counts = {"train": 0, "val": 0}
    seen = np.zeros(10, int)
    with new_folder(folder) as unfinished:
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            part = split(int(label), int(seen[label]))
            seen[label] += 1
            if not part:
                continue
            counts[part] += 1
            target = unfinished / part / str(label)
            target.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
            image.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(target / f"{number:04d}.png")
    return counts


if __name__ == "__main__":
    raise SystemExit(main())
