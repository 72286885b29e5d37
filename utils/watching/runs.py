"""The runs that are watched, each by a short name that says nothing of its place; only what changed is read again."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import resolved
from mindzoo.utils.reports.reading import Run, read_run
from mindzoo.utils.watching import summary
from mindzoo.utils.watching.finding import Finder
from mindzoo.utils.watching.summary import Stamp, State, Summary

Found = TypeVar("Found")
MOST_KEPT = 24  # runs whose lines are kept; of all others the summary alone
MOST_PAGES = 4


class Kept(Generic[Found]):
    """What was made of a run, as long as its files do not change; of so many runs, those that were asked for last."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._kept: OrderedDict[str, tuple[Stamp, Found]] = OrderedDict()

    def get(self, identity: str, stamp: Stamp, make: Callable[[], Found]) -> Found:
        kept = self._kept.get(identity)
        if kept is None or kept[0] != stamp:
            kept = stamp, make()
            self._kept[identity] = kept
        self._kept.move_to_end(identity)
        while self.most is not None and len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return kept[1]


class WatchedRuns:
    """All runs in and below some folders. Several threads may ask: one at a time is answered."""

    def __init__(self, tops: Sequence[Path]) -> None:
        self.tops = [resolved(top) for top in tops]
        self.lock = threading.RLock()
        self._finder = Finder(self.tops)
        self._folders: dict[str, Path] = {}  # all that were there once, by identity
        self._last: dict[str, Summary] = {}
        self._summaries: Kept[Summary] = Kept()
        self._runs: Kept[Run] = Kept(MOST_KEPT)
        self._pages: Kept[str] = Kept(MOST_PAGES)

    def look(self) -> dict[str, tuple[Summary, State]]:
        """Every run, by identity, also those that vanished meanwhile."""
        with self.lock:
            self._find()
            now = time.time()
            return {identity: self._summary(identity, now) for identity in self._folders}

    def state(self, identity: str) -> tuple[Summary, State]:
        """Of one run.

        Raises:
            KeyError: there never was one of this identity.
        """
        with self.lock:
            return self._summary(identity, time.time())

    def name(self, identity: str) -> str:
        """Where it lies below the folder that is watched, or what it is called where it is that folder.

        Raises:
            KeyError: there never was one of this identity.
        """
        folder = self._folders[identity]
        above = next((top for top in self.tops if top in folder.parents), None)
        own = folder.name if above is None else str(folder.relative_to(above))
        return own if len(self.tops) == 1 or above is None else f"{above.name}/{own}"

    def run(self, identity: str) -> Run:
        """What its small files say.

        Raises:
            KeyError: there never was one of this identity.
            UserError: it vanished, or cannot be read.
        """
        with self.lock:
            folder = self._folder(identity)
            return self._runs.get(identity, _stamp(folder), lambda: _read(folder, with_predictions=False))

    def page(self, identity: str, make: Callable[[Run], str]) -> str:
        """What `make` makes of all that the run's folder has; see `run`."""
        with self.lock:
            folder = self._folder(identity)
            return self._pages.get(identity, _stamp(folder), lambda: make(_read(folder, with_predictions=True)))

    def _find(self) -> None:
        for folder in self._finder.runs():
            self._folders.setdefault(identity_of(folder), folder)

    def _folder(self, identity: str) -> Path:
        if identity not in self._folders:  # it may be new
            self._find()
        return self._folders[identity]

    def _summary(self, identity: str, now: float) -> tuple[Summary, State]:
        folder = self._folder(identity)
        try:
            found = self._summaries.get(identity, _stamp(folder), lambda: _summed_up(folder))
        except UserError as error:
            found = self._last.get(identity) or summary.unread(folder, str(error))
        self._last[identity] = found
        return found, summary.state_of(found, now)


def identity_of(folder: Path) -> str:
    """The same at each start, and no path."""
    return hashlib.blake2s(os.fsencode(folder), digest_size=8).hexdigest()


def _stamp(folder: Path) -> Stamp:
    try:
        return summary.stamp_of(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be read any more: {error.strerror}") from None


def _summed_up(folder: Path) -> Summary:
    try:
        return summary.summary(_read(folder, with_predictions=False))
    except UserError as error:
        return summary.unread(folder, str(error))


def _read(folder: Path, *, with_predictions: bool) -> Run:
    """Read a run that may be written or removed meanwhile.

    Raises:
        UserError: for whatever reason it cannot be read: one damaged run must not end the watch of all others.
    """
    try:
        return read_run(folder, with_predictions=with_predictions, is_growing=True)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{folder} cannot be read: {type(error).__name__}: {error}") from None
