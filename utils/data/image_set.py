"""The labelled images of a data set: what a run needs to know of them, wherever their bytes lie."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mindzoo.utils.data import listing, numbers
from mindzoo.utils.data.listing import composed
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.errors import UserError, counted, shorten, visible
from mindzoo.utils.images.fault import Fault, named
from mindzoo.utils.log import logger

if TYPE_CHECKING:
    import mindspore.dataset as ds

S = TypeVar("S", bound="ImageSet")
PLACE_BITS = 32  # a pipeline has fewer images than 2^32


@dataclass(frozen=True)
class ImageSet(ABC):
    """The images of `root`: `files[i]` is of class `labels[i]`, sorted by class folder, then by file name."""

    root: Path
    classes: tuple[str, ...]  # all classes of the data set, by label; a validation set may lack some
    files: tuple[str, ...]  # "class/name.png"
    labels: np.ndarray  # int32, as long as files
    left_out: Mapping[str, str] = field(default_factory=dict, kw_only=True)  # images that are not used, and why
    is_looked_at: bool = field(
        default=False, kw_only=True
    )  # each image was, and those that cannot be read are left out

    def __len__(self) -> int:
        return len(self.files)

    @property
    def name(self) -> str:
        """What the folder of the images is called, with which their names in a skip list begin."""
        return listing.folder_name(self.root)

    @property
    def class_index(self) -> dict[str, int]:
        """Label by name of each class folder that is there."""
        labels, first = np.unique(self.labels, return_index=True)
        found = {self.files[place].split("/", 1)[0]: int(label) for label, place in zip(labels, first, strict=True)}
        return {name: found[name] for name in listing.by_bytes([*found])}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names and sizes of the images, in hexadecimal: other images have another one, but for a rare case.

        The same images have the same one in a pack and in folders, and with names as macOS writes them.
        """
        found = hashlib.sha256()
        for name, size in zip(self.files, self.sizes(), strict=True):
            found.update(os.fsencode(f"{composed(name)}/{size}/"))
        return found.hexdigest()

    def without(self: S, left_out: Mapping[str, str]) -> S:
        """The set without some of the images, which are given with the reasons.

        Raises:
            UserError: a class would have no images.
        """
        stay = np.array([name not in left_out for name in self.files], bool)
        kept = self._only(stay, {**self.left_out, **left_out})
        gone = set(self.class_index) - set(kept.class_index)
        if gone:
            name = min(gone)
            reason = next(f"{image} {why}" for image, why in left_out.items() if image.startswith(f"{name}/"))
            raise UserError(f"class folder {self.root / name} holds no image that can be used: {reason}")
        return kept

    def without_listed(self: S, skip: SkipList | None) -> S:
        """The set without the images that a list names.

        Raises:
            UserError: a class would have no images.
        """
        if skip is None:
            return self
        named = {name: f"is in {skip.path}" for name in self.files if skip.holds(self.name, name)}
        count = len(named) + sum(skip.holds(self.name, name) for name in self.left_out)
        logger.info("%s: %d of its %d names are images of %s", skip.path, count, len(skip.names), self.root)
        return self.without(named)

    def parted(self: S, held: np.ndarray) -> tuple[S, S]:
        """The images for which `held` (N,) bool is false, with what is left out of the set, and the others."""
        return self._only(~held, self.left_out), self._only(held, {})

    def _only(self: S, stay: np.ndarray, left_out: Mapping[str, str]) -> S:
        """The images for which `stay` (N,) bool is true."""
        files = tuple(itertools.compress(self.files, stay))
        return dataclasses.replace(self, files=files, labels=self.labels[stay], left_out=left_out)

    @abstractmethod
    def content(self, place: int) -> bytes:
        """The bytes of image `place`; threads may share the set.

        Raises:
            Fault: they cannot be read.
        """

    @abstractmethod
    def sizes(self) -> Iterator[int]:
        """The bytes of each image, without a look at them."""

    def pipeline(
        self, indices: np.ndarray, operations: Sequence[Callable[..., Any]], threads: int, seed: int = 0
    ) -> ds.Dataset:
        """The images of these numbers in this order.

        Numbers, whose bytes the threads that decode them read. MindSpore's own reader of class folders walks them all for each
        pass, which is each epoch here, and gives other images the numbers of those that it found before, where one came or went.

        Args:
            indices: (N,) integers.
            operations: what is done with the bytes of an image (uint8), see `transforms`; the first one gets a number beside
                them, from which it may draw.
            seed: below 2^32; another one gives other such numbers.

        Returns:
            Columns image, as the operations make it, and label, () int32.
        """
        first, *others = operations
        data = numbers.source(np.arange(len(indices)), self.labels[indices])
        read = _Read(self, indices, first, seed << PLACE_BITS)
        return data.map([read, *others], "image", num_parallel_workers=threads)


class _Read:
    """A place in the order (() int32) -> what the first operation makes of its image's bytes; an error names the image."""

    def __init__(
        self, images: ImageSet, order: np.ndarray, first: Callable[[np.ndarray, int], np.ndarray], chances: int
    ) -> None:
        self.images, self.order, self.first, self.chances = images, order, first, chances

    def __call__(self, number: np.ndarray) -> np.ndarray:
        place = int(self.order[number])
        try:
            return self.first(np.frombuffer(self.images.content(place), np.uint8), self.chances + int(number))
        except Fault as fault:
            raise named(visible(str(self.images.root / self.images.files[place])), fault) from None

    def __deepcopy__(self, memo: dict[int, object]) -> _Read:
        """Itself: MindSpore copies a pipeline before it runs, and the images are many."""
        return self


def label_of_each(root: Path, names: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Label by name of each class folder.

    Args:
        classes: names by label. Those that differ in Unicode normalisation only are the same: macOS writes others than
            Linux.

    Raises:
        UserError: a folder is of none of the classes.
    """
    exact = {name: label for label, name in enumerate(classes)}
    normal = {composed(name): label for label, name in enumerate(classes)}
    label_of = {name: exact.get(name, normal.get(composed(name), -1)) for name in names}
    if unknown := [name for name in names if label_of[name] < 0]:
        twin = {name.casefold(): name for name in classes}.get(unknown[0].casefold())
        raise UserError(
            f"{root} has {counted(len(unknown), 'class folder')} that training lacks: {shorten(unknown)}; the {len(classes)} classes "
            f"of training are {shorten(classes)}{f'; {twin} differs in case only' if twin else ''}"
        )
    there = set(label_of.values())
    if missing := [name for label, name in enumerate(classes) if label not in there]:
        logger.info("%s lacks %d of the %d classes: %s", root, len(missing), len(classes), shorten(missing))
    return label_of
