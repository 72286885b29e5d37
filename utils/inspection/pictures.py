"""Every image is looked at, as every command reads it: which cannot be read, and which are the same picture."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np

from mindzoo.utils import progress
from mindzoo.utils.data.listing import composed
from mindzoo.utils.data.look import Look, look_at_all
from mindzoo.utils.images import exif, kinds
from mindzoo.utils.inspection.findings import Findings
from mindzoo.utils.inspection.survey import Split

BLOCK = 4096  # files whose paths are in memory at a time
# The kind of finding by how `Look.fault` begins; what begins otherwise is damaged.
FAULTS = {
    "is empty|holds zeros": "empty",
    "is cut off": "cut_off",
    "is damaged": "damaged",
    "is a folder|is no file|cannot be opened": "not_a_file",
    r"has .*\b(pixels|MB)\b": "too_large",
    "is |has .* values": "unsupported",
}
SUFFIXES = {
    kinds.JPEG: (".jpg", ".jpeg", ".jfif", ".jpe"),
    kinds.PNG: (".png",),
    kinds.BMP: (".bmp",),
    kinds.TIFF: (".tif", ".tiff"),
    kinds.WEBP: (".webp",),
    kinds.GIF: (".gif",),
}
Place = tuple[int, str, str]  # the number of a split, class, file


def look_through(splits: list[Split], threads: int, findings: Findings) -> float:
    """Look at every image; counts those that can be read in `Split.good`.

    Returns:
        Images per second.
    """
    pictures = _Pictures(splits, findings)
    total = sum(map(len, splits))
    begin = time.monotonic()
    with progress.of("check-data", total, "images") as work:
        for number, split in enumerate(splits):
            split.good = dict.fromkeys(split.classes, 0)
            for name, image, look in _looks(split, threads):
                pictures.take((number, name, image), look)
                work.advance()
    speed = total / max(time.monotonic() - begin, 1e-9)
    pictures.find_the_same()
    return speed


def _looks(split: Split, threads: int) -> Iterator[tuple[str, str, Look]]:
    images = split.images()
    while block := list(islice(images, BLOCK)):
        paths = [split.root / name / image for name, image in block]
        for (name, image), look in zip(block, look_at_all(paths, threads, digest=True), strict=True):
            yield name, image, look


def kind_of_fault(fault: str) -> str:
    """The kind of finding that a fault is."""
    return next((kind for beginning, kind in FAULTS.items() if re.match(beginning, fault)), "damaged")


class _Pictures:
    """What the looks have shown; 16 bytes of an image's digest are enough to tell it from all others."""

    def __init__(self, splits: list[Split], findings: Findings) -> None:
        self.splits, self.findings = splits, findings
        self.places: list[Place] = []
        self.digests = bytearray()

    def name(self, place: Place) -> str:
        split, name, image = place
        return f"{self.splits[split].name}/{name}/{image}"

    def take(self, place: Place, look: Look) -> None:
        if look.fault:
            self.findings.add(kind_of_fault(look.fault), self.name(place), look.fault)
            return
        self.splits[place[0]].good[place[1]] += 1
        self.places.append(place)
        self.digests += look.digest[:16]
        if look.orientation != exif.UPRIGHT:
            self.findings.add("orientation", self.name(place), f"mark {look.orientation}")
        if os.path.splitext(place[2])[1].lower() not in SUFFIXES[look.kind]:
            self.findings.add("other_suffix", self.name(place), f"is {look.kind}")

    def find_the_same(self) -> None:
        """Add what is found of pictures whose files have the same content."""
        for group in self._groups():
            splits: dict[int, Place] = {}  # the first place in each
            classes: dict[str, Place] = {}
            folders = defaultdict(list)
            for place in (self.places[number] for number in group):
                splits.setdefault(place[0], place)
                classes.setdefault(composed(place[1]), place)
                folders[place[:2]].append(place)
            self._add("two_splits", [*splits.values()])
            self._add("two_classes", [*classes.values()])
            for same in folders.values():
                self._add("twice", same)

    def _add(self, kind: str, places: list[Place]) -> None:
        if len(places) > 1:
            first, *others = map(self.name, places)
            self.findings.add(kind, first, f"is the same picture as {', '.join(others)}")

    def _groups(self) -> list[list[int]]:
        """Numbers of the places of the same content, for each content that is there more than once, in their order."""
        halves = np.frombuffer(bytes(self.digests), np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: places stay in their order
        new = np.ones(len(order) + 1, bool)
        new[1:-1] = (halves[order][1:] != halves[order][:-1]).any(axis=1)
        edges = np.flatnonzero(new)
        several = np.flatnonzero(np.diff(edges) > 1)
        return sorted(order[edges[number] : edges[number + 1]].tolist() for number in several)
