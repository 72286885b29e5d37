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
from pathlib import Path
from typing import NamedTuple

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import size_text
from mindzoo.utils.log import aside
from mindzoo.utils.storage import places, urls
from mindzoo.utils.storage.places import Inside
from mindzoo.utils.storage.retry import patiently

THREADS = 16
BATCH = 1000  # files that are asked for at once


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


class Copied(NamedTuple):
    """What was copied, or was there already."""

    single: str  # the object's name in the folder, where the URL names one; else empty
    names: list[str]  # of all of them


class Store(ABC):
    """A kind of storage. The clients below raise errors of many kinds; missing: FileNotFoundError."""

    @abstractmethod
    def copy_in(self, url: str, folder: Path, *, replace: bool = True) -> Copied:
        """Copy what `url` holds into `folder`, or the one object that it names.

        Args:
            replace: copy over files that are there and differ; else they stay.

        Raises:
            UserError: the name of an object leads elsewhere, or see `places`.
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

    def copy_in(self, url: str, folder: Path, *, replace: bool = True) -> Copied:
        found = _without_folders(patiently(lambda: self.listing(url), f"listing {url}"))
        if not found:
            raise FileNotFoundError(f"{url} holds nothing")
        single = urls.base_name(url) if set(found) == {""} else ""
        entries = {name or single: entry for name, entry in found.items()}
        names = places.names_to_copy(url, entries)
        if not names:
            raise FileNotFoundError(f"{url} holds nothing")
        inside = Inside(folder)
        lacking = []
        for name in names:
            path = inside.path(name)
            if not (entries[name].is_at(path) if replace else path.exists()):
                lacking.append(name)
        if lacking:
            self._copy(url, inside, {name: entries[name] for name in lacking}, single)
        return Copied(single, names)

    def _copy(self, url: str, inside: Inside, entries: Mapping[str, Entry], single: str) -> None:
        """Copy these objects of `url`, or the one that it names, into a folder."""
        folder = inside.folder
        total = sum(entry.size for entry in entries.values())
        free = shutil.disk_usage(folder).free
        if total >= free:
            raise UserError(
                f"{url} takes {size_text(total)}, and {size_text(free)} are free in {folder}; make room, or copy it "
                "to another disk and give that folder"
            )
        count = f"{len(entries):,} file{'s' * (len(entries) > 1)}"
        aside("copying %s to %s: %s, %s", url, folder, count, size_text(total))
        started, remaining = time.perf_counter(), iter(entries.items())
        with ThreadPoolExecutor(THREADS) as pool, progress.of(f"copy {url}", total, progress.BYTES) as work:
            while batch := list(islice(remaining, BATCH)):
                jobs = [(urls.join(url, "" if single else name), inside.path(name), entry) for name, entry in batch]
                for entry in pool.map(lambda job: copy_one(self, *job), jobs):
                    work.advance(entry.size)
        aside("copied %s in %.1f s", url, time.perf_counter() - started)


def _without_folders(found: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """The objects without those that stand for a folder: empty, and others are below them; and `url` itself then.

    Raises:
        UserError: others are below one that is not empty.
    """
    folders: set[str] = set()
    for folder in {name.rpartition("/")[0] for name in found}:
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    both = folders & found.keys()
    for name in both:
        if found[name].size:
            raise UserError(
                f"{name} is an object of the bucket, and others are below it; rename one: a file is no folder"
            )
    if "" in found and len(found) > 1:
        both |= {""}
    return {name: entry for name, entry in found.items() if name not in both} if both else found


def copy_one(store: ListingStore, url: str, path: Path, entry: Entry) -> Entry:
    """Copy an object so that `path` is complete or not there at all; returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a killed job left is written over by the next one.
    part = places.part_of(path)

    def attempt() -> None:
        store.get(url, part)
        size = part.stat().st_size
        if size != entry.size:
            raise OSError(f"{size} bytes of {url} came, and it has {entry.size}")

    patiently(attempt, f"copying {url}")
    os.utime(part, (entry.modified, entry.modified))
    os.replace(part, path)
    return entry
