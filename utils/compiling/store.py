"""Compiled graphs on disk: entries by key, complete or not there, the least recently used of which go when it is full."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import new_folder, user_cache
from mindzoo.utils.log import logger

LIMIT_VARIABLE = "MINDZOO_COMPILE_CACHE_GB"
DEFAULT_LIMIT = 2.0  # GB of 10^9 bytes
GRAPH, DIGEST = "graph.mindir", "digest.json"
LEFT_BEHIND = 24 * 3600.0  # seconds after which what a killed process began is removed


def default_folder() -> Path:
    """Where this user's compiled graphs are."""
    return user_cache("graphs")


def size_limit() -> int:
    """The bytes that all entries together may take.

    Raises:
        UserError: MINDZOO_COMPILE_CACHE_GB is no size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "") or str(DEFAULT_LIMIT)
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 1e6:
        raise UserError(f"the variable {LIMIT_VARIABLE} is {text}; wanted a size in GB, such as {DEFAULT_LIMIT}")
    return int(limit * 1e9)


@dataclass(frozen=True)
class Store:
    """The entries in one folder: each a folder with the name of its key, that holds a graph, the file `name`, and its digest."""

    folder: Path
    name: str = GRAPH

    def take(self, key: str, target: Path) -> bool:
        """Copy the graph of `key` to the file `target`; False where there is none, see `read`."""
        content = self.read(key)
        if content is None:
            return False
        target.unlink(missing_ok=True)
        target.write_bytes(content)
        return True

    def read(self, key: str) -> bytes | None:
        """The graph of `key`; None where there is none.

        An entry that is damaged is removed, with a line that says so.
        """
        entry = self.folder / key
        try:
            content = (entry / self.name).read_bytes()
            wanted = json.loads((entry / DIGEST).read_text(encoding="utf-8"))["sha256"]
        except FileNotFoundError:
            if entry.exists():
                self._refuse(entry)
            return None
        except (OSError, ValueError, LookupError, TypeError):
            self._refuse(entry)
            return None
        if hashlib.sha256(content).hexdigest() != wanted:
            self._refuse(entry)
            return None
        with suppress(OSError):  # of another process that removes it now
            os.utime(entry)
        return content

    def remove(self, key: str) -> None:
        """Forget the graph of `key`."""
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def _refuse(self, entry: Path) -> None:
        logger.info("note: the compiled graph %s is damaged: it is removed, and compiled anew", entry)
        shutil.rmtree(entry, ignore_errors=True)

    def add(self, key: str, content: bytes) -> None:
        """Keep a graph under `key`, if no other process was first; then make room.

        Raises:
            OSError: the folder cannot be written.
        """
        digest = {"sha256": hashlib.sha256(content).hexdigest()}
        entry = self.folder / key
        if not entry.exists():
            try:
                with new_folder(entry) as unfinished:
                    (unfinished / self.name).write_bytes(content)
                    (unfinished / DIGEST).write_text(json.dumps(digest), encoding="utf-8")
            except OSError:
                if not entry.exists():
                    raise
        self.make_room(size_limit())

    def make_room(self, limit: int) -> None:
        """Remove entries, the least recently used first, until they take at most `limit` bytes; and what was left behind."""
        with suppress(OSError):
            for left in self.folder.glob(".*"):
                if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                    shutil.rmtree(left, ignore_errors=True)
        total = self.size()
        for entry in sorted(self.entries(), key=_last_used):
            if total <= limit:
                return
            total -= _size(entry)
            shutil.rmtree(entry, ignore_errors=True)

    def entries(self) -> list[Path]:
        """The folders of all entries."""
        try:
            return sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        except OSError:
            return []

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(map(_size, self.entries()))


def _size(entry: Path) -> int:
    total = 0
    for path in entry.glob("*"):
        with suppress(OSError):  # removed in between
            total += path.stat().st_size
    return total


def _last_used(entry: Path) -> float:
    with suppress(OSError):
        return entry.stat().st_mtime
    return 0.0
