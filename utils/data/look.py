"""Looks at image files as every command reads them: the same pixels, or the same words for why they cannot be read."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from mindspore.dataset import vision

from mindzoo.utils.data.image_file import read_file
from mindzoo.utils.images import exif, kinds
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.readable import Prepared, prepared


@dataclass(frozen=True)
class Look:
    """What a look at a file has shown."""

    fault: str = ""  # "" for a good file, else the end of a sentence that begins with its name
    kind: str = ""  # by its content, see `kinds.READ`
    width: int = 0  # as stored
    height: int = 0
    orientation: int = exif.UPRIGHT  # the camera's mark
    digest: bytes = b""  # of the content


# Raises `Fault` for the width and height of a picture that a run cannot use.
Check = Callable[[int, int], None]
# Gives the content of a file, or raises `Fault`.
Read = Callable[[], bytes]


def any_size(width: int, height: int) -> None:
    """The check of those who resize nothing."""


def look_at(path: Path, *, digest: bool = False, check: Check = any_size) -> Look:
    """Read a file, and decode it as far as something could be wrong with it. Raises nothing; threads may share it.

    Args:
        digest: compute it, which costs about as much as the look.
    """
    return look_into(partial(read_file, path), digest=digest, check=check)


def look_into(read: Read, *, digest: bool = False, check: Check = any_size) -> Look:
    """The same of what `read` gives."""
    content = b""
    try:
        content = read()
        found = prepared(np.frombuffer(content, np.uint8))
        check(found.width, found.height)
        if not found.decoded and found.kind != kinds.JPEG:  # a JPEG that was looked through decodes
            decode(found)
    except Fault as fault:
        return Look(str(fault), digest=hashed(content) if digest and content else b"")
    return Look(
        "", found.kind, found.width, found.height, found.orientation, hashed(content) if digest else b""
    )  # fmt: skip


def hashed(content: bytes) -> bytes:
    """The digest of a file's content, SHA-256."""
    return hashlib.sha256(content).digest()


def decode(found: Prepared) -> np.ndarray:
    """The pixels (H, W, 3) uint8 RGB, by MindSpore, as the data pipeline decodes them.

    Raises:
        Fault: they are damaged.
    """
    try:
        return np.asarray(vision.Decode()(found.content))
    except (RuntimeError, ValueError, TypeError):
        raise Fault(f"is damaged: its {found.kind} data cannot be decoded") from None


def read_prepared(path: Path, orientation: str) -> Prepared:
    """A file in the form that is decoded; see `prepared`.

    Raises:
        Fault: it cannot be read.
    """
    return prepared(np.frombuffer(read_file(path), np.uint8), orientation)


def pixels_of(path: Path, orientation: str) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB as the network gets it, before it is resized.

    Raises:
        Fault: it cannot be read.
    """
    return decode(read_prepared(path, orientation))


def look_into_all(
    reads: Iterable[Read], threads: int, *, digest: bool = False, check: Check = any_size
) -> Iterator[Look]:
    """`look_into` of each, in their order; not more than a few are read ahead."""
    remaining = iter(reads)
    with ThreadPoolExecutor(threads) as pool:
        while block := list(itertools.islice(remaining, 64 * threads)):
            yield from pool.map(lambda read: look_into(read, digest=digest, check=check), block)


def look_at_all(
    paths: Iterable[Path], threads: int, *, digest: bool = False, check: Check = any_size
) -> Iterator[Look]:
    """`look_at` of each, in their order."""
    return look_into_all((partial(read_file, path) for path in paths), threads, digest=digest, check=check)


class Marks:
    """Counts pictures that carry a camera's mark, over threads."""

    def __init__(self) -> None:
        self.read = self.marked = 0
        self._lock = threading.Lock()

    def count(self, orientation: int) -> None:
        with self._lock:
            self.read += 1
            self.marked += orientation != exif.UPRIGHT

    def take_back(self, times: int, orientation: int) -> None:
        """Not count a picture that was read so many times beside the others, as `EvalData` does to fill a batch."""
        with self._lock:
            self.read -= times
            self.marked -= times * (orientation != exif.UPRIGHT)

    def line(self, orientation: str) -> str:
        """What is said of the marks; "" where there are none."""
        if not self.marked:
            return ""
        done = "turned as it says" if orientation == "exif" else "used as stored; --orientation exif turns them"
        return f"{self.marked} of {self.read} pictures read carry a camera's mark of how it was held, and are {done}"


class Prepare:
    """The first operation of the data pipeline: the bytes of a file (uint8) -> bytes that the next one decodes."""

    decoder = "mindspore"

    def __init__(self, orientation: str, marks: Marks | None = None, check: Check = any_size) -> None:
        self.orientation, self.marks, self.check = orientation, marks or Marks(), check

    def __call__(self, content: np.ndarray, chance: int = 0) -> np.ndarray:
        """The content that is decoded.

        Args:
            chance: what is random comes from this number, which each image that a run reads has another of; nothing is, here.

        Raises:
            Fault: the file cannot be read.
        """
        return self.look(content).content

    def look(self, content: np.ndarray) -> Prepared:
        """Look a file through, and count its mark.

        Raises:
            Fault: it cannot be read.
        """
        found = prepared(content, self.orientation)
        self.check(found.width, found.height)
        self.marks.count(found.orientation)
        return found

    def __deepcopy__(self, memo: dict[int, object]) -> Prepare:
        """Itself: MindSpore copies a pipeline before it runs, and the count is one."""
        return self
