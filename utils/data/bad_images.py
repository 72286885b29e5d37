"""Images that cannot be read: found before a run where it is asked for, named where one ends it."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from mindzoo.utils import progress, ranks
from mindzoo.utils.config.image_keys import BadImageKeys
from mindzoo.utils.data import skip_list
from mindzoo.utils.data.data_set import open_set
from mindzoo.utils.data.image_file import fault_of_size
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.look import Check, Read, any_size, look_into, look_into_all
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, counted, shorten, visible
from mindzoo.utils.images.fault import unnamed
from mindzoo.utils.log import aside, logger
from mindzoo.utils.runtime import World

REMEDY = "replace or remove it, or leave out such images: --on_bad_image skip"
LIST_IT = "it could be read when this run began; replace or remove it, or name it in a --skip_list FILE"
BRING_BACK = "put it back, or start again with the images that are there; a training goes on with --resume auto"
LISTED = "skipped_images.txt"
# What Python says of a `Fault`.
FAULT = re.compile(r"^mindzoo\.utils\.images\.fault\.Fault: (.+)$", re.MULTILINE)
DECODER = "ecode"  # in what MindSpore says of both its decoders


def usable(
    root: Path, keys: BadImageKeys, world: World, classes: Sequence[str] | None = None, check: Check = any_size
) -> ImageSet:
    """The images below `root` that a run reads, as `skip_list` and `on_bad_image` say.

    With "stop" the size of every file is looked at, and the first image of each class, so that a class of broken files
    is not found hours later.
    With "skip" every image is: each rank looks at its share, and all leave out the same.

    Args:
        classes: see `data_set.open_set`.
        check: raises `Fault` for the size of a picture that the run cannot resize.

    Raises:
        UserError: see `data_set.open_set`; an image cannot be read, or no image of a class.
    """
    stop = keys.on_bad_image == "stop"
    skip = skip_list.read(Path(keys.skip_list)) if keys.skip_list else None
    folders = open_set(root, classes, skip, stop=stop)
    if stop:
        # MindSpore reads a file as a whole before anything can look at it.
        for name, size in zip(folders.files, folders.sizes(), strict=True):
            if reason := fault_of_size(size):
                raise refusal(folders.root / name, reason)
        _, first = np.unique(folders.labels, return_index=True)
        if found := first_fault(((folders, int(place)) for place in first), check):
            raise refusal(*found)
        return folders
    started = time.perf_counter()
    faults = _faults(folders, world, check)
    seconds = time.perf_counter() - started
    aside("looked at %s in %.1f s: %d cannot be read", counted(len(folders), "image"), seconds, len(faults))
    return dataclasses.replace(folders.without(faults), is_looked_at=True)


def say_left_out(folders: ImageSet, what: str) -> None:
    """Say how many images are not used, and the first of them.

    Args:
        what: what the others are used for.
    """
    if folders.left_out:
        named = shorten((f"{name} {why}" for name, why in folders.left_out.items()), 2)
        total = len(folders) + len(folders.left_out)
        logger.warning("%s uses %d of %s: left out are %s", what, len(folders), counted(total, "image"), named)


def write_list(folder: Path, sets: Sequence[ImageSet]) -> None:
    """Write the names of all images that are left out into `folder`, as a skip list; nothing where there are none."""
    names = [f"{found.name}/{name}" for found in sets for name in found.left_out]
    if names:
        skip_list.write(folder / LISTED, names)


@contextmanager
def named(*sets: ImageSet) -> Iterator[None]:
    """Say of an error of the data pipeline which image it is about, and what is wrong with it.

    Raises:
        UserError: instead of MindSpore's error, where that names an image of these folders.
    """
    try:
        yield
    except (RuntimeError, UnicodeDecodeError) as error:
        text = error.object.decode("utf-8", "surrogateescape") if isinstance(error, UnicodeDecodeError) else str(error)
        if "Dataset Pipeline Error" in text and (found := _blamed(text, sets)):
            raise refusal(*found, is_looked_at=any(images.is_looked_at for images in sets)) from None
        raise


def refusal(path: Path, fault: str, *, is_looked_at: bool = False) -> UserError:
    """What is said of an image that ends a run; `is_looked_at`: see `ImageSet`."""
    is_gone = os.strerror(errno.ENOENT) in fault
    return UserError(f"{path} {fault}; {BRING_BACK if is_gone else LIST_IT if is_looked_at else REMEDY}")


def first_fault(places: Iterable[tuple[ImageSet, int]], check: Check = any_size) -> tuple[Path, str] | None:
    """The first of the images that cannot be read, and why."""
    looks = ((place, look_into(_read(*place), check=check).fault) for place in places)
    return next(((_path(*place), fault) for place, fault in looks if fault), None)


def _blamed(text: str, sets: Sequence[ImageSet]) -> tuple[Path, str] | None:
    """The image that a report of the data pipeline is about, and what is wrong with it.

    The report names it where `Prepare` failed. The decoder behind that names none; then all are looked at.
    """
    places = [
        (found, place)
        for found in sets
        for place, name in enumerate(found.files)
        if f"/{name}" in text or f"/{visible(name)}" in text  # it writes bytes that are no UTF-8 as we do
    ]
    # The longest name first: one may be the beginning of another.
    places.sort(key=lambda place: -len(str(_path(*place))))
    if places and (reason := FAULT.search(text)):
        return _path(*places[0]), unnamed(reason[1])
    if found := first_fault(places):
        return found
    if DECODER not in text:
        return None
    aside("looking for the image that cannot be decoded ...")
    every = [(found, place) for found in sets for place in range(len(found))]
    looks = zip(every, look_into_all((_read(*place) for place in every), worker_count(0)), strict=True)
    return next(((_path(*place), found.fault) for place, found in looks if found.fault), None)


def _path(folders: ImageSet, place: int) -> Path:
    return folders.root / folders.files[place]


def _read(folders: ImageSet, place: int) -> Read:
    return partial(folders.content, place)


def _faults(folders: ImageSet, world: World, check: Check) -> dict[str, str]:
    """Why each image that cannot be read cannot."""
    own = range(world.rank, len(folders), world.size) if world.connected else range(len(folders))
    looks = look_into_all((_read(folders, place) for place in own), worker_count(0), check=check)
    looked = progress.each(zip(own, looks, strict=True), f"look at {folders.name}", len(own), "images")
    faults = {place: found.fault for place, found in looked if found.fault}
    flags = np.zeros(len(folders), np.float32)
    flags[[*faults]] = 1
    bad = np.flatnonzero(ranks.total(world, flags))
    return {
        folders.files[place]: faults.get(place) or look_into(_read(folders, int(place)), check=check).fault
        for place in bad
    }
