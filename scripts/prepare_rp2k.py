"""Balance RP2K: a new data set in which the over-full class `other` has only a random sample of its images.

RP2K is a data set of retail products on shelves with more than 2000 classes. Its class `other` holds some 10,000
images, far more than any other; the original README keeps 2262 of them. SOURCE is left as it is.

    python scripts/prepare_rp2k.py SOURCE TARGET [--keep 2262] [--other other] [--seed 1] [--link|--copy] [--plot PNG]

SOURCE holds class folders, or train/ and test/ (or val/) with class folders: then only train/ is sampled, and test/
becomes TARGET/val. By default images are hard links where the file system allows it: a link takes no space, and an
image that is changed in TARGET is changed in SOURCE too; --copy makes them independent.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import os
import runpy
import shutil
import sys
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils.data.class_folders import ClassFolders, scan  # noqa: E402
from mindzoo.utils.errors import UserError, nearest  # noqa: E402
from mindzoo.utils.files import new_folder  # noqa: E402

BAR, TITLE = 40, "images per class"  # characters of the longest bar; head of the column beside it
PLOT, MARGIN = (560, 360), (70, 50)
INK, GRID, FILL, MARK = "#1f2933", "#d8dde3", "#8fb5e3", "#b3261e"


class Part(NamedTuple):
    """Images that go to one folder of TARGET; `name` is train, val, or empty where TARGET holds the classes itself."""

    name: str
    folders: ClassFolders


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        prepare(arguments())
    except (UserError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="class folders, or train/ and test/ (or val/) with class folders")
    parser.add_argument("target", type=Path, help="the new data set; must not exist, or be empty")
    parser.add_argument("--keep", type=int, default=2262, help="images of the over-full class to keep (default 2262)")
    parser.add_argument("--other", default="other", help="the over-full class (default other)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sample (default 1)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--link", action="store_true", help="hard links only; fail where there can be none")
    how.add_argument("--copy", action="store_true", help="copies only")
    parser.add_argument("--plot", type=Path, help="the PNG to write (default TARGET-classes.png beside TARGET)")
    return parser.parse_args()


def prepare(options: argparse.Namespace) -> None:
    """Check everything, then write TARGET and the plot, and say what was done."""
    source, target = options.source, options.target
    plot = options.plot or target.resolve().with_name(f"{target.resolve().name}-classes.png")
    check(source, target, plot, options.keep, options.seed)
    parts = read(source)
    before = parts[0]
    kept = Part(before.name, sample(before.folders, options.other, options.keep, options.seed))
    say(f"before: {source}", counts(before.folders))
    linked, copied = write(source, target, [kept, *parts[1:]], options)
    say(f"after: {target}", counts(kept.folders))
    draw(plot, {"before": before.folders, "after": kept.folders}, options.other)
    for part in parts[1:]:
        sys.stdout.write(f"{target / part.name}: {len(part.folders)} images, all that {part.folders.root} has\n")
    sys.stdout.write(f"{linked} hard links and {copied} copies in {target}; class sizes drawn in {plot}\n")


def check(source: Path, target: Path, plot: Path, keep: int, seed: int) -> None:
    """Refuse what cannot be done before anything is written.

    Raises:
        UserError: says what is wrong with which argument.
    """
    if not source.is_dir():
        raise UserError(f"SOURCE is {source}, which is {'no folder' if source.exists() else 'missing'}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"TARGET is {target}, which holds something already; name a new folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f"TARGET is {target}, inside SOURCE, which is left as it is; name a folder outside of {source}")
    there = plot.resolve().parent.is_dir() or plot.resolve().parent == target.resolve().parent
    outside = not any(plot.resolve().is_relative_to(folder.resolve()) for folder in (source, target))
    if plot.suffix.lower() != ".png" or plot.exists() or not there or not outside:
        raise UserError(
            f"the plot is {plot}; wanted a new .png file, in a folder that exists, outside of SOURCE and TARGET: "
            "--plot FILE"
        )
    if keep < 1 or seed < 0:
        raise UserError(f"keep is {keep} and seed is {seed}; wanted at least 1 and 0")


def read(source: Path) -> list[Part]:
    """The part to sample, and after it the validation images where SOURCE has them."""
    folders = sorted(entry.name for entry in os.scandir(source) if entry.is_dir() and not entry.name.startswith("."))
    if folders not in (["test", "train"], ["train", "val"]):
        return [Part("", scan(source))]
    validation = next(name for name in folders if name != "train")
    train = scan(source / "train")
    return [Part("train", train), Part("val", scan(source / validation, train.classes))]


def sample(folders: ClassFolders, other: str, keep: int, seed: int) -> ClassFolders:
    """The same with `keep` images of the class `other`, chosen at random; the sample depends on file names and seed.

    Raises:
        UserError: no such class.
    """
    if other not in folders.classes:
        raise UserError(
            f"{folders.root} has no class {other}{nearest(other, folders.classes)}; name the over-full one: --other CLASS"
        )
    own = np.flatnonzero(folders.labels == folders.classes.index(other))
    if len(own) <= keep:
        sys.stdout.write(f"class {other} has {len(own)} images, no more than the {keep} to keep: all are kept\n")
        return folders
    chosen = np.random.default_rng(seed).choice(own, keep, replace=False)
    stay = np.ones(len(folders), bool)
    stay[own] = False
    stay[chosen] = True
    files = tuple(name for name, stays in zip(folders.files, stay, strict=True) if stays)
    return dataclasses.replace(folders, files=files, labels=folders.labels[stay])


def write(source: Path, target: Path, parts: Sequence[Part], options: argparse.Namespace) -> tuple[int, int]:
    """Write TARGET under a temporary name first, so that it is complete or not there; how many links and copies."""
    linked = copied = 0
    with new_folder(target) as unfinished:
        for part in parts:
            for name in part.folders.files:
                place = unfinished / part.name / name
                place.parent.mkdir(parents=True, exist_ok=True)
                if put(part.folders.root / name, place, link=options.link, copy=options.copy):
                    linked += 1
                else:
                    copied += 1
    return linked, copied


def put(image: Path, place: Path, *, link: bool, copy: bool) -> bool:
    """Make `place` the image; whether it is a hard link.

    Raises:
        UserError: links only were wanted, and there can be none.
    """
    if not copy:
        try:
            os.link(os.path.realpath(image), place)
            return True
        except OSError as error:
            if link:
                raise UserError(f"no hard link from {image} to TARGET: {error.strerror}; leave --link out") from None
    shutil.copy2(image, place)
    return False


def counts(folders: ClassFolders) -> np.ndarray:
    """Images of each class, (classes,)."""
    return np.bincount(folders.labels, minlength=len(folders.classes))


def say(heading: str, sizes: np.ndarray) -> None:
    """A summary, and how many classes there are of which size."""
    largest, smallest = sizes.max(), sizes.min()
    sys.stdout.write(
        f"{heading}\n  {len(sizes)} classes, {sizes.sum()} images; images per class: largest {largest}, "
        f"smallest {smallest}, median {np.median(sizes):g}; imbalance ratio {largest / smallest:.1f}\n"
    )
    steps = [digit * 10**decade for decade in range(len(str(largest)) + 1) for digit in (1, 2, 5)]
    edges = steps[bisect_right(steps, smallest) - 1 : bisect_right(steps, largest) + 1]
    found, _ = np.histogram(sizes, edges)
    width = len(TITLE)
    sys.stdout.write(f"  {TITLE} | classes\n")
    for low, high, classes in zip(edges, edges[1:], found, strict=False):
        label = f"{low}-{high - 1}" if high > low + 1 else str(low)
        sys.stdout.write(f"  {label:>{width}} | {'#' * math.ceil(BAR * classes / found.max())} {classes}\n")


def draw(path: Path, panels: dict[str, ClassFolders], other: str) -> None:
    """Images per class, largest class first, on a logarithmic axis that the panels share."""
    top = math.ceil(math.log10(max(max(counts(folders).max() for folders in panels.values()), 10)))
    width = PLOT[0] + MARGIN[0] + 30
    image = Image.new("RGB", (width * len(panels), PLOT[1] + 2 * MARGIN[1]), "white")
    for number, (title, folders) in enumerate(panels.items()):
        _panel(ImageDraw.Draw(image), number * width + MARGIN[0], title, folders, other, top)
    image.save(path, optimize=True)


def _panel(draw: ImageDraw.ImageDraw, left: int, title: str, folders: ClassFolders, other: str, top: int) -> None:
    """One plot with the class `other` marked; `top` is the decade at its upper edge."""
    font, large = ImageFont.load_default(14), ImageFont.load_default(17)
    (width, height), bottom = PLOT, MARGIN[1] + PLOT[1]
    sizes = counts(folders)
    values = np.sort(sizes)[::-1]
    for decade in range(top + 1):
        y = bottom - height * decade / top
        draw.line([(left, y), (left + width, y)], GRID)
        draw.text((left - 8, y), str(10**decade), fill=INK, font=font, anchor="rm")
    edges = np.linspace(0, width, len(values) + 1)
    for x in range(width):
        # The class at this column; of several the largest.
        value = values[int(np.searchsorted(edges, x, side="right")) - 1]
        draw.line([(left + x, bottom), (left + x, bottom - height * math.log10(value) / top)], FILL)
    draw.rectangle((left, MARGIN[1], left + width, bottom), outline=INK)
    own = sizes[folders.classes.index(other)]
    mark = left + edges[int((values > own).sum())], bottom - height * math.log10(own) / top
    draw.ellipse((mark[0] - 4, mark[1] - 4, mark[0] + 4, mark[1] + 4), fill=MARK)
    draw.text((mark[0] + 10, mark[1] + 12), f"{other}: {own}", fill=MARK, font=font, anchor="lm")
    heading = f"{title}: {len(values)} classes, {values.sum()} images"
    draw.text((left + width / 2, MARGIN[1] - 24), heading, fill=INK, font=large, anchor="mm")
    caption = "images per class, largest class first"
    draw.text((left + width / 2, bottom + 24), caption, fill=INK, font=font, anchor="mm")


if __name__ == "__main__":
    raise SystemExit(main())
