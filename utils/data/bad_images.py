"""Images that cannot be read: found before a run where it is asked for, named where one ends it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mindzoo.utils import ranks
from mindzoo.utils.config.image_keys import BadImageKeys
from mindzoo.utils.data import look, skip_list
from mindzoo.utils.data.class_folders import ClassFolders, scan
from mindzoo.utils.data.listing import folder_name
from mindzoo.utils.data.look import Check, any_size, first_fault, look_at, look_at_all
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, shorten, visible
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World

REMEDY = "replace or remove it, or leave out such images: --on_bad_image skip"
LISTED = "skipped_images.txt"
BLOCK = 1000  # files whose sizes one thread looks at
# What Python says of a `Fault`.
FAULT = re.compile(r"^mindzoo\.utils\.images\.fault\.Fault: (.+)$", re.MULTILINE)
DECODER = "ecode"  # in what MindSpore says of both its decoders


def usable(
    root: Path, keys: BadImageKeys, world: World, classes: Sequence[str] | None = None, check: Check = any_size
) -> ClassFolders:
    """The images below `root` that a run reads, as `skip_list` and `on_bad_image` say.

    With "stop" the size of every file is looked at, and the first image of each class, so that a class of broken files
    is not found hours later.
    With "skip" every image is: each rank looks at its share, and all leave out the same.

    Args:
        classes: see `class_folders.scan`.
        check: raises `Fault` for the size of a picture that the run cannot resize.

    Raises:
        UserError: see `class_folders.scan`; an image cannot be read, or no image of a class.
    """
    stop = keys.on_bad_image == "stop"
    skip = skip_list.read(Path(keys.skip_list)) if keys.skip_list else None
    folders = scan(root, classes, skip, stop=stop)
    if stop:
        for name, size in _sizes(folders):
            if reason := look.fault_of_size(size):
                raise UserError(f"{folders.root / name} {reason}; {REMEDY}")
        _, first = np.unique(folders.labels, return_index=True)
        if found := first_fault((folders.root / folders.files[place] for place in first), check):
            raise UserError(f"{found[0]} {found[1]}; {REMEDY}")
        return folders
    started = time.perf_counter()
    faults = _faults(folders, world, check)
    seconds = time.perf_counter() - started
    logger.info("looked at %d images in %.1f s: %d cannot be read", len(folders), seconds, len(faults))
    return folders.without(faults)


def _sizes(folders: ClassFolders) -> Iterator[tuple[str, int]]:
    """The bytes of each file: MindSpore reads a file as a whole before anything can look at it."""

    def sizes(names: Sequence[str]) -> list[int]:
        return [_size(f"{folders.root}/{name}") for name in names]

    blocks = [folders.files[start : start + BLOCK] for start in range(0, len(folders), BLOCK)]
    with ThreadPoolExecutor(worker_count(0)) as pool:
        for names, found in zip(blocks, pool.map(sizes, blocks), strict=True):
            yield from zip(names, found, strict=True)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - to make a Path of it takes longer than the look
    except OSError:  # that it is gone is said when it is read
        return 1


def say_left_out(folders: ClassFolders, what: str) -> None:
    """Say how many images are not used, and the first of them.

    Args:
        what: what the others are used for.
    """
    if folders.left_out:
        named = shorten((f"{name} {why}" for name, why in folders.left_out.items()), 2)
        total = len(folders) + len(folders.left_out)
        logger.warning("%s uses %d of %d images: left out are %s", what, len(folders), total, named)


def write_list(folder: Path, sets: Sequence[ClassFolders]) -> None:
    """Write the names of all images that are left out into `folder`, as a skip list; nothing where there are none."""
    names = [f"{folder_name(found.root)}/{name}" for found in sets for name in found.left_out]
    if names:
        skip_list.write(folder / LISTED, names)


@contextmanager
def named(*sets: ClassFolders) -> Iterator[None]:
    """Say of an error of the data pipeline which image it is about, and what is wrong with it.

    Raises:
        UserError: instead of MindSpore's error, where that names an image of these folders.
    """
    try:
        yield
    except (RuntimeError, UnicodeDecodeError) as error:
        text = error.object.decode("utf-8", "surrogateescape") if isinstance(error, UnicodeDecodeError) else str(error)
        if "Dataset Pipeline Error" in text and (found := _blamed(text, sets)):
            raise UserError(f"{found[0]} {found[1]}; {REMEDY}") from None
        raise


def _blamed(text: str, sets: Sequence[ClassFolders]) -> tuple[Path, str] | None:
    """The image that a report of the data pipeline is about, and what is wrong with it.

    The report names it where `Prepare` failed. The decoder behind that names none; then all are looked at.
    """
    paths = [
        found.root / name
        for found in sets
        for name in found.files
        if f"/{name}" in text or f"/{visible(name)}" in text  # it writes bytes that are no UTF-8 as we do
    ]
    # The longest name first: one may be the beginning of another.
    paths.sort(key=lambda path: -len(str(path)))
    if paths and (reason := FAULT.search(text)):
        return paths[0], reason[1]
    if found := first_fault(paths):
        return found
    if DECODER not in text:
        return None
    logger.info("looking for the image that cannot be decoded ...")
    every = [found.root / name for found in sets for name in found.files]
    looks = zip(every, look_at_all(every, worker_count(0)), strict=True)
    return next(((path, found.fault) for path, found in looks if found.fault), None)


def _faults(folders: ClassFolders, world: World, check: Check) -> dict[str, str]:
    """Why each image that cannot be read cannot."""
    own = range(world.rank, len(folders), world.size) if world.connected else range(len(folders))
    looks = look_at_all([folders.root / folders.files[place] for place in own], worker_count(0), check=check)
    faults = {place: found.fault for place, found in zip(own, looks, strict=True) if found.fault}
    flags = np.zeros(len(folders), np.float32)
    flags[[*faults]] = 1
    bad = np.flatnonzero(ranks.total(world, flags))
    return {
        folders.files[place]: faults.get(place) or look_at(folders.root / folders.files[place], check=check).fault for place in bad
    }  # fmt: skip
