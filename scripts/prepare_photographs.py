"""Cut the photographs that scikit-image and scikit-learn ship into a small data set, for classes and for the retrieval of instances.

    python scripts/prepare_photographs.py FOLDER [--size 64] [--crops 6] [--seed 1]

Each photograph is cut into tiles that do not overlap, and each tile is an instance. A third of the tiles of every
photograph are held out, and cut into overlapping crops, some of them mirrored, brighter or darker:

    FOLDER/train/KIND/PHOTOGRAPH-TILE.png       whole tiles, for training; the classes are kinds of photographs
    FOLDER/val/KIND/PHOTOGRAPH-TILE.png         whole tiles that are held out, for evaluation
    FOLDER/test/PHOTOGRAPH-TILE/CROP.png        crops of tiles that training never sees, for retrieval

So, as in ImageNet, a class has many instances. The same seed gives the same images.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils.errors import UserError  # noqa: E402
from mindzoo.utils.files import new_folder  # noqa: E402

# What is no photograph, almost empty, or the other half of a stereo pair is left out. Names without suffix are .png.
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
KINDS = {
    "people": {"skimage": "astronaut camera"},
    "textures": {"skimage": "brick coins grass gravel"},
    "space": {"skimage": "hubble_deep_field.jpg moon rocket.jpg"},
    "print": {"skimage": "page text"},
    "medicine": {"skimage": "ihc retina.jpg"},
    "things": {"skimage": "chelsea coffee motorcycle_left", "sklearn": "china.jpg flower.jpg"},
}
LONGEST_SIDE = 640  # a photograph with more pixels is made smaller first
TILE = 128  # about the side of a tile
LEAST_CONTRAST = 12.0  # standard deviation of the grey levels; a tile of plain sky shows nothing to find again
HELD_OUT = 3  # one tile of so many
LEAST_CROP = 0.65  # of the tile's side; above a half, so that any two crops of a tile overlap
BRIGHTNESS = (0.6, 1.4)


@dataclass(frozen=True)
class Tile:
    """An instance: a square part of a photograph."""

    name: str
    image: Image.Image
    held_out: bool


def main() -> int:
    options = arguments()
    folder = options.folder
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        sys.stdout.write(f"{folder} is there already\n")
        return 0
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} holds something else; name a new folder")
        prepare(options)
    except (UserError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="where train/, val/ and test/ are made")
    parser.add_argument("--size", type=_at_least(8), default=64, help="pixels per side of the crops (default 64)")
    parser.add_argument("--crops", type=_at_least(2), default=6, help="crops of a held-out tile (default 6)")
    parser.add_argument("--seed", type=_at_least(0), default=1, help="(default 1)")
    return parser.parse_args()


def prepare(options: argparse.Namespace) -> None:
    """Write the data set and say what is in it.

    Raises:
        UserError: a photograph is missing.
    """
    photographs = find()
    counts = {"train": 0, "test": 0}
    with new_folder(options.folder) as folder:
        for number, (path, kind) in enumerate(photographs):
            for tile in cut(path, np.random.default_rng([options.seed, number])):
                counts["test" if tile.held_out else "train"] += 1
                save(tile.image, folder / ("val" if tile.held_out else "train") / kind / f"{tile.name}.png")
                if not tile.held_out:
                    continue
                random = np.random.default_rng([options.seed, len(photographs) + number, *tile.name.encode()])
                for crop in range(options.crops):
                    save(view(tile.image, options.size, random), folder / "test" / tile.name / f"{crop:02d}.png")
    sys.stdout.write(
        f"{options.folder}: tiles of {len(photographs)} photographs\n"
        f"  train: {counts['train']} images, {len(KINDS)} classes\n"
        f"  val: {counts['test']} images of the same classes\n"
        f"  test: {counts['test'] * options.crops} images of {options.size}x{options.size} pixels, crops of "
        f"{counts['test']} other tiles, one folder for each\n"
    )


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Some photographs have a colour profile that decoders complain about.
    image.save(path, icc_profile=None)


def find() -> list[tuple[Path, str]]:
    """The files of the photographs, and their kinds.

    Raises:
        UserError: a package is not installed, or does not ship one of them.
    """
    found = []
    for kind, names in KINDS.items():
        for package, text in names.items():
            spec = importlib.util.find_spec(package)
            if spec is None or not spec.submodule_search_locations:
                raise UserError(f'the package {package} is not installed; pip install -e ".[demo]" brings it')
            folder = Path(spec.submodule_search_locations[0]) / FOLDERS[package]
            found += [(folder / (name if "." in name else f"{name}.png"), kind) for name in text.split()]
    missing = [path.name for path, _ in found if not path.is_file()]
    if missing:
        raise UserError(
            f"scikit-image or scikit-learn as installed do not ship {', '.join(missing)}; "
            'pip install -e ".[demo]" brings versions that do'
        )
    return found


def cut(path: Path, random: np.random.Generator) -> list[Tile]:
    """The tiles of one photograph, row by row, a random third of them held out."""
    photograph = Image.open(path).convert("RGB")
    photograph.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    columns, rows = (max(round(side / TILE), 1) for side in photograph.size)
    xs = np.linspace(0, photograph.width, columns + 1).astype(int).tolist()
    ys = np.linspace(0, photograph.height, rows + 1).astype(int).tolist()
    boxes = [
        (left, top, right, bottom) for top, bottom in itertools.pairwise(ys) for left, right in itertools.pairwise(xs)
    ]
    images = [ImageOps.fit(photograph.crop(box), (min(box[2] - box[0], box[3] - box[1]),) * 2) for box in boxes]
    images = [image for image in images if np.asarray(image.convert("L")).std() >= LEAST_CONTRAST]
    held_out = set(random.permutation(len(images))[: max(len(images) // HELD_OUT, 1)].tolist())
    return [Tile(f"{path.stem}-{number:02d}", image, number in held_out) for number, image in enumerate(images)]


def view(tile: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    """A random square crop of a tile, `size` pixels wide, perhaps mirrored, brighter or darker."""
    side = round(tile.width * random.uniform(LEAST_CROP, 1))
    left, top = random.integers(0, tile.width - side, 2, endpoint=True).tolist()
    image = tile.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    return ImageEnhance.Brightness(image).enhance(random.uniform(*BRIGHTNESS))


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value} is too few; wanted at least {least}")
        return value

    return number


if __name__ == "__main__":
    raise SystemExit(main())
