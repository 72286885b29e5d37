"""Where this server keeps its copies, and that one process at a time works on a copy."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.files import is_inside, resolved, user_cache
from mindzoo.utils.log import aside
from mindzoo.utils.storage import places, urls

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LARGEST_MARKER = 100_000  # characters


def place(url: str, documented: str) -> Path:
    """The folder for the copy of `url`: inside `documented` where its parent is a folder that can be written.

    Elsewhere it is in the user's cache folder. Each URL has a folder of its own.
    """
    folder = Path(documented)
    if not (folder.parent.is_dir() and os.access(folder.parent, os.W_OK)):
        folder = user_cache(folder.name)
    return folder / urls.folder_name(url)


class Marker:
    """A file in the folder of a copy; it holds JSON once the copy is complete. No object of a bucket gets its name."""

    def __init__(self, file: TextIO, folder: Path) -> None:
        self.file, self.folder = file, folder

    def read(self) -> Path | None:
        """The copy that `finish` was told of; None where it is not complete, or no longer inside the folder."""
        try:
            name = self.facts()["path"]
            path = self.folder / name
        except (LookupError, TypeError):
            return None
        whole = not name or not places.fault_of(name)
        return path if whole and path.exists() and is_inside(path, resolved(self.folder)) else None

    def facts(self) -> dict[str, Any]:
        """What is noted; nothing where that is nothing of ours."""
        self.file.seek(0)
        try:
            found = parse_json(self.file.read(LARGEST_MARKER))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def finish(self, path: str, **facts: Any) -> None:
        """The copy is complete: `path` in the folder."""
        self.note(path=path, **facts)

    def note(self, **facts: Any) -> None:
        """Note these in place of what was noted."""
        self.file.truncate(0)
        self.file.write(json.dumps(facts) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    @property
    def written(self) -> float:
        """When the copy was completed, in seconds since 1970."""
        return os.fstat(self.file.fileno()).st_mtime


@contextmanager
def locked(folder: Path) -> Iterator[Marker]:
    """The marker of `folder`, for this process alone: the ranks of a server wait for each other here.

    The kernel releases the lock when the process ends, however it ends, so that nothing is left behind. Windows has
    no such lock, and a job there has one rank.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / places.MARKER, "a+", encoding="utf-8") as file:
        if fcntl is not None:
            _lock(file, folder)
        yield Marker(file, folder)


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process is the first of those on this server that claim `folder`, until it leaves the block."""
    with open(folder / places.CLAIM, "a", encoding="utf-8") as file:
        yield fcntl is None or _try(file)


def _lock(file: TextIO, folder: Path) -> None:
    if not _try(file):
        aside("waiting for another process that copies into %s", folder)
        fcntl.flock(file, fcntl.LOCK_EX)


def _try(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
