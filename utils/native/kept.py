"""Files of machine code in the user's cache, each with its digest beside it: a damaged one would end the process without a word."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mindzoo.utils import files
from mindzoo.utils.log import logger

DIGEST = ".sha256"  # behind the name of the file
BLOCK = 1 << 20


def is_whole(path: Path) -> bool:
    """Whether the file is there, with the content that it was written with."""
    try:
        return _digest_file(path).read_text(encoding="ascii", errors="replace") == _digest(path)
    except OSError:
        return False


def ensure(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make the file, at the place that it is given, unless it is whole.

    The ranks of a job want the same at one time: one of them makes it, and the others wait.

    Raises:
        OSError: the folder cannot be written to.
    """
    if is_whole(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if is_whole(path):  # another process has made it
            return
        if _digest_file(path).exists():
            logger.info("note: %s is damaged, and is made anew", path)
        _digest_file(path).unlink(missing_ok=True)
        with files.whole_file(path) as temporary:
            write(temporary)
        _digest_file(path).write_text(_digest(path), encoding="ascii")


def obstacle(folder: Path) -> str:
    """Why no file can be made in a folder, which may not be there yet; empty where one can."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else makes a file in `folder` meanwhile."""
    import fcntl  # which not all systems have that import this module

    with (folder / "lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks: it is made twice
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest_file(path: Path) -> Path:
    return path.with_name(path.name + DIGEST)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
