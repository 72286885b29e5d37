"""Class folders: one folder per class, images inside. What is wrong with them is said before anything is read."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mindzoo.utils.data import listing
from mindzoo.utils.data.image_file import read_file
from mindzoo.utils.data.image_set import ImageSet, label_of_each
from mindzoo.utils.data.listing import SUFFIXES, Listed, composed, folder_name, is_utf8
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.log import logger

BLOCK = 1000  # files whose sizes one thread looks at


@dataclass(frozen=True)
class ClassFolders(ImageSet):
    """The images in the class folders below `root`."""

    def content(self, place: int) -> bytes:
        """The bytes of the file; see `read_file`."""
        return read_file(f"{self.root}/{self.files[place]}")

    def sizes(self) -> Iterator[int]:
        """The bytes of each file; 1 where it cannot be looked at: that is said when it is read."""
        return iter(self._sizes)

    @cached_property
    def _sizes(self) -> list[int]:
        """They are asked for twice at the start of a run, and the looks at a million files take seconds."""

        def sizes(names: Sequence[str]) -> list[int]:
            return [_size(f"{self.root}/{name}") for name in names]

        blocks = [self.files[start : start + BLOCK] for start in range(0, len(self), BLOCK)]
        with ThreadPoolExecutor(worker_count(0)) as pool:
            return [*itertools.chain.from_iterable(pool.map(sizes, blocks))]


def scan(
    root: Path, classes: Sequence[str] | None = None, skip: SkipList | None = None, *, stop: bool = True
) -> ClassFolders:
    """List the images below `root`.

    Args:
        classes: names by label, from training; by default the folders of `root`, sorted. Names that differ in Unicode
            normalisation only are the same: macOS writes others than Linux.
        skip: images that are left out.
        stop: links that lead nowhere, and the like, are errors unless `skip` names them; else they are left out.

    Raises:
        UserError: no class folders, an empty class, a folder inside a class folder, a name that is not UTF-8, or a
            class that `classes` lacks.
    """
    try:
        names = listing.class_names(root)
        listed = {name: listing.list_class(root / name) for name in names}
    except OSError as error:
        raise UserError(f"cannot list {error.filename or root}: {error.strerror}") from None
    if not names:
        raise UserError(_no_class_folders(root))
    _check_names(root, names)
    if classes is None and len(names) == 1:
        logger.warning("%s has one class folder, %s: there is nothing to tell it from", root, *names)
    classes = tuple(names if classes is None else classes)
    label_of = label_of_each(root, names, classes)
    odd = {f"{name}/{n}": listing.not_a_file(root / name / n) for name in names for n in listed[name].not_files}
    for name in names:
        _check_class(root / name, listed[name])
    for name, reason in odd.items() if stop else ():
        if not (skip and skip.holds(folder_name(root), name)):
            raise UserError(
                f"{root / name} {reason}; remove it, or leave out such files: --on_bad_image skip"
            )  # fmt: skip
    files = [f"{name}/{image}" for name in names for image in listed[name].images]
    labels = [label_of[name] for name in names for _ in listed[name].images]
    others = [f"{name}/{other}" for name in names for other in listed[name].left_out]
    if others:
        logger.info(
            "left out %s of %s without the suffix of an image: %s", counted(len(others), "file"), root, shorten(others)
        )
    return ClassFolders(root, classes, tuple(files), np.asarray(labels, np.int32), left_out=odd).without_listed(skip)


def _check_names(root: Path, names: Sequence[str]) -> None:
    """Class folders become class names, in checkpoints and JSON."""
    seen: dict[str, str] = {}
    for name in names:
        if not is_utf8(name):
            raise UserError(f"the class folder {root / name} has a name that is not UTF-8; rename it")
        twin = seen.setdefault(composed(name), name)
        if twin != name:
            raise UserError(
                f"{root} has the class folders {twin!a} and {name!a}, which are one name written in two ways (Unicode "
                "normalisation); put their images into one"
            )


def _check_class(folder: Path, listed: Listed) -> None:
    if listed.folders:
        raise UserError(
            f"the class folder {folder} holds the folder {listed.folders[0]}; wanted images only: give the folder whose "
            "folders are the classes, or move this one away"
        )
    if any(name.endswith(".mindrecord") for name in listed.left_out):
        raise UserError(_no_whole_pack(folder))
    if not listed.images:
        hint = f", only {shorten(listed.left_out)}" if listed.left_out else ""
        raise UserError(
            f"class folder {folder} holds no images ({', '.join(SUFFIXES)}){hint}; add some or remove the folder"
        )


def _no_class_folders(root: Path) -> str:
    images = len(listing.list_class(root).images)
    if any(root.glob("*.mindrecord")):
        return _no_whole_pack(root)
    found = f"{counted(images, 'image')} and no class folders" if images else "no class folders"
    return f"{root} holds {found}; wanted one folder per class with its images inside: sort them by class first"


def _no_whole_pack(folder: Path) -> str:
    return (
        f"{folder} holds MindRecord files without {listing.PACK_INDEX}, so it is no whole pack; make or copy it again"
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - to make a Path of it takes longer than the look
    except OSError:
        return 1
