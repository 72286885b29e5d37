"""Which images of a training folder are held out for evaluation: drawn by class and in groups, and kept as a file.

The file has one name a line, "class/file.jpg", in the form of a skip list. So the same images can be found again when the
folder has moved, or was packed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.data import skip_list
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.listing import SPLITS, composed
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.records import HELD_OUT

STREAM = 2**32 - 1  # apart from the random numbers of epochs, which are drawn from the seed and their number


@dataclass(frozen=True)
class HeldOut:
    """What a training holds out."""

    images: ImageSet
    names: Sequence[str]  # as its file has them

    def keep(self, folder: Path) -> None:
        """Write the names into the folder of the run; one that goes on in its folder has them from there.

        Raises:
            UserError: the file cannot be written.
        """
        skip_list.write(folder / HELD_OUT, self.names)


def draw(images: ImageSet, share: float, seed: int, grouped: np.ndarray) -> np.ndarray:
    """Draw images to hold out: of each class that share, rounded, at least one and not all.

    Groups are taken in a random order, each where it brings the counts of its classes nearer to what is wanted. A class of
    which that would hold out none gives its smallest group. A class with one group keeps it for the training.

    Args:
        share: in 0..1.
        grouped: (N,) the number of each image's group, from 0; see `groups`.

    Returns:
        (N,) bool.

    Raises:
        UserError: nothing can be held out.
    """
    counts = np.bincount(images.labels, minlength=len(images.classes))
    wanted = np.where(counts > 1, np.clip(np.floor(share * counts + 0.5), 1, np.maximum(counts - 1, 1)), 0).astype(int)
    rng = np.random.default_rng((seed, STREAM))
    held = np.zeros(len(images), bool)
    if len(np.unique(grouped)) == len(images):
        order = rng.permutation(len(images))
        for members in _parts(images.labels[order]):
            held[order[members[: wanted[images.labels[order[members[0]]]]]]] = True
    else:
        held = _draw_groups(images.labels, wanted, grouped, rng)
    if not held.any():
        raise UserError(
            f"val_split is {share:g}, and none of the {counted(len(images), 'image')} of {images.root} can be held out: each class has "
            "one image, or one group of them; add images, or use a finer group_by"
        )
    return held


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """The places of each value, in their order."""
    order = np.argsort(values, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(values[order])) + 1)


def _draw_groups(labels: np.ndarray, wanted: np.ndarray, grouped: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """See `draw`: (N,) bool."""
    groups = [*_parts(grouped)]
    groups = [groups[place] for place in rng.permutation(len(groups))]
    sizes = [np.unique(labels[members], return_counts=True) for members in groups]
    held, counts, left = np.zeros(len(labels), bool), np.zeros_like(wanted), np.bincount(labels, minlength=len(wanted))

    def take(place: int) -> None:
        classes, sizes_of = sizes[place]
        held[groups[place]] = True
        counts[classes] += sizes_of
        left[classes] -= sizes_of

    for place, (classes, more) in enumerate(sizes):
        missing = wanted[classes] - counts[classes]
        if np.abs(missing - more).sum() < np.abs(missing).sum() and (left[classes] > more).all():
            take(place)
    groups_of: dict[int, list[int]] = {}
    for place, (classes, _) in enumerate(sizes):
        for label in classes.tolist():
            groups_of.setdefault(label, []).append(place)
    for label in np.flatnonzero(wanted).tolist():
        if not counts[label]:
            fitting = [place for place in groups_of[label] if (left[sizes[place][0]] > sizes[place][1]).all()]
            if fitting:
                take(min(fitting, key=lambda place: len(groups[place])))
    return held


def groups(files: Sequence[str], group_by: str) -> tuple[np.ndarray, int]:
    """The number of each image's group, (N,), and how many images have names that say none: each of these is its own group.

    Args:
        files: "class/name.png"; a group may have images of several classes.
        group_by: see `grouping`; "": each image is its own group.

    Raises:
        UserError: see `grouping`.
    """
    if not group_by:
        return np.arange(len(files)), 0
    part_of = grouping(group_by)
    found = [part_of(composed(name.rpartition("/")[2])) for name in files]
    keys = [(part,) if part else (str(place), "alone") for place, part in enumerate(found)]
    number_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([number_of[key] for key in keys]), sum(not part for part in found)


def grouping(group_by: str) -> Callable[[str], str]:
    """The group that the name of a file says, "" where it says none.

    A text with a bracket is a regular expression, whose one group says it; another text stands behind it.

    Raises:
        UserError: it is no regular expression, or has not one group.
    """
    if "(" not in group_by:
        return lambda name: name.partition(group_by)[0] if group_by in name else ""
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise UserError(f"group_by is {group_by}, which is no regular expression: {error}") from None
    if pattern.groups != 1:
        raise UserError(
            f"group_by is {group_by}, a regular expression with {counted(pattern.groups, 'group')}; wanted one, ( and ), and (?: for others"
        )

    def part_of(name: str) -> str:
        found = pattern.search(name)
        return (found[1] or "") if found else ""

    return part_of


def read(path: Path) -> SkipList:
    """The names that a run held out.

    Args:
        path: its folder, or the file itself.

    Raises:
        UserError: there are none, or the file cannot be read.
    """
    file = path / HELD_OUT if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"there is no file {file}; wanted the folder of a run that was trained with val_split, which has its {HELD_OUT}"
        )
    found = skip_list.read(file, "held_out")
    if not found.names:
        raise UserError(f"{file} names no image; wanted the {HELD_OUT} of a run, as its training wrote it")
    return found


def only(images: ImageSet, kept: SkipList) -> ImageSet:
    """The images that a file names, without those that are left out of the set; says how many.

    Raises:
        UserError: see `chosen`.
    """
    _, found = images.parted(chosen(images, kept))
    lost = {name: why for name, why in images.left_out.items() if kept.holds(images.name, name)}
    logger.info("%s of %s: those that %s names", counted(len(found), "image"), images.root, kept.path)
    return dataclasses.replace(found, left_out=lost)


def were_trained_on(meta: Mapping[str, Any], root: Path) -> bool:
    """Whether a checkpoint with these facts is of a training that held out some images of `root`, and took the others."""
    config = meta.get("config", {})
    if not isinstance(config, Mapping) or not config.get("val_split"):
        return False
    given = Path(str(config.get("data_dir", "")))
    return root.resolve() in [folder.resolve() for folder in (given, *(given / name for name in SPLITS["train"]))]


def chosen(images: ImageSet, kept: SkipList) -> np.ndarray:
    """Which of the images a file names: (N,) bool.

    Raises:
        UserError: it names others too, so it is of another folder.
    """
    named = np.array([kept.holds(images.name, name) for name in images.files], bool)
    there = {composed(name) for name in (*images.files, *images.left_out)}
    if lost := sorted(name for name in kept.names if name not in there):
        raise UserError(
            f"{kept.path} names {counted(len(kept.names), 'image')}, of which {images.root} lacks {len(lost)}: {shorten(lost, 3)}; give the "
            "folder that the run was trained on, with these images"
        )
    if not named.any():
        raise UserError(f"{kept.path} names images of {images.root}, and all of these are left out; put them back")
    return named
