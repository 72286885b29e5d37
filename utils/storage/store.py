"""What a kind of storage can do, and how one that lists its objects is copied from: many at once, each of them whole."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.storage import urls
from mindzoo.utils.storage.retry import patiently

THREADS = 16
BATCH = 1000  # files between two looks at the clock
SAY_EVERY = 30.0  # seconds


@dataclass(frozen=True)
class Entry:
    """An object of a bucket: its size in bytes, and when it was written, in whole seconds since 1970."""

    size: int
    modified: int

    def is_at(self, path: Path) -> bool:
        """Whether the file `path` is a copy of it: a copy has its size and time."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, int(found.st_mtime)) == (self.size, self.modified)


class Store(ABC):
    """A kind of storage. The clients below raise errors of many kinds; missing: FileNotFoundError."""

    @abstractmethod
    def copy_in(self, url: str, folder: Path, *, replace: bool = True) -> str:
        """Copy what `url` holds into `folder`, or the one object that it names.

        Args:
            replace: copy over files that are there and differ; else they stay.

        Returns:
            The object's name in `folder`, or nothing where `url` names many.
        """

    @abstractmethod
    def put(self, path: Path, url: str) -> None:
        """Copy the file `path` to `url`; it appears there as a whole."""

    @abstractmethod
    def known(self, url: str) -> Mapping[str, Entry] | None:
        """What `url` holds, by name; nothing where it is missing; None where this storage cannot tell."""


class ListingStore(Store):
    """A storage that lists its objects."""

    @abstractmethod
    def listing(self, url: str) -> Mapping[str, Entry]:
        """The objects below `url` by their names there; the object `url` itself has the name ""."""

    @abstractmethod
    def get(self, url: str, path: Path) -> None:
        """Copy the object `url` to the file `path`."""

    def known(self, url: str) -> Mapping[str, Entry] | None:
        return patiently(lambda: self.listing(url), f"listing {url}")

    def copy_in(self, url: str, folder: Path, *, replace: bool = True) -> str:
        found = patiently(lambda: self.listing(url), f"listing {url}")
        if not found:
            raise FileNotFoundError(f"{url} holds nothing")
        single = urls.base_name(url) if set(found) == {""} else ""
        if any(".." in PurePosixPath(name).parts for name in found):
            raise UserError(f"{url} holds an object with .. in its name, which would be written elsewhere; rename it")
        lacking = {}
        for name, entry in found.items():
            path = folder / (name or single)
            if not (entry.is_at(path) if replace else path.exists()):
                lacking[name] = entry
        if lacking:
            self._copy(url, folder, lacking, single)
        return single

    def _copy(self, url: str, folder: Path, entries: Mapping[str, Entry], single: str) -> None:
        """Copy these objects of `url`."""
        total = sum(entry.size for entry in entries.values())
        free = shutil.disk_usage(folder).free
        if total >= free:
            raise UserError(
                f"{url} takes {size_text(total)}, and {size_text(free)} are free in {folder}; make room, or copy it "
                "to another disk and give that folder"
            )
        count = f"{len(entries):,} file{'s' * (len(entries) > 1)}"
        logger.info("copying %s to %s: %s, %s", url, folder, count, size_text(total))
        started = said = time.perf_counter()
        remaining, done = iter(entries.items()), 0
        with ThreadPoolExecutor(THREADS) as pool:
            while batch := list(islice(remaining, BATCH)):
                jobs = [(urls.join(url, name), folder / (name or single), entry) for name, entry in batch]
                done += len(list(pool.map(lambda job: copy_one(self, *job), jobs)))
                if time.perf_counter() - said > SAY_EVERY:
                    said = time.perf_counter()
                    logger.info("copied %s of %s", f"{done:,}", count)
        logger.info("copied %s in %.1f s", url, time.perf_counter() - started)


def copy_one(store: ListingStore, url: str, path: Path, entry: Entry) -> None:
    """Copy an object so that `path` is complete or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of the same name in every process: what a killed job left is written over by the next one.
    part = path.with_name(f".{path.name}.part")

    def attempt() -> None:
        store.get(url, part)
        size = part.stat().st_size
        if size != entry.size:
            raise OSError(f"{size} bytes of {url} came, and it has {entry.size}")

    patiently(attempt, f"copying {url}")
    os.utime(part, (entry.modified, entry.modified))
    os.replace(part, path)


def size_text(count: int) -> str:
    """1234567 bytes as 1.2 MB."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
