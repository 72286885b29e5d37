"""Which folders below another are runs. It is asked every few seconds, so it looks only into folders that changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from mindzoo.utils.records import FACTS, METRICS

DEEPEST = 5  # levels below the folder that is watched
MOST_FOLDERS = 20_000  # that are looked into
SETTLED = (
    2_000_000_000  # ns: what changed later than this before it was read may have changed again within the same tick
)


class Finder:
    """The runs in some folders and below them. Links are not followed; hidden folders are passed over."""

    def __init__(self, tops: list[Path]) -> None:
        self.tops = tops
        self._known: dict[
            str, tuple[int, list[str], bool]
        ] = {}  # by folder: its time, folders in it, whether it is a run

    def runs(self) -> list[Path]:
        """Every run that is there now, in the order of its path."""
        known, self._known = self._known, {}
        return [Path(path) for path in sorted({path for top in self.tops for path in self._below(str(top), 0, known)})]

    def _below(self, folder: str, depth: int, known: dict[str, tuple[int, list[str], bool]]) -> Iterator[str]:
        if len(self._known) >= MOST_FOLDERS or folder in self._known:
            return
        try:
            changed = Path(folder).stat().st_mtime_ns
            found = known.get(folder)
            if found is None or found[0] != changed:
                found = _look_into(folder, changed)
        except OSError:  # it vanished, or is not ours to read
            return
        self._known[folder] = found
        _, inside, is_run = found
        if is_run:
            yield folder
        if depth < DEEPEST:
            for name in inside:
                yield from self._below(os.path.join(folder, name), depth + 1, known)


def _look_into(folder: str, changed: int) -> tuple[int, list[str], bool]:
    inside, is_run = [], False
    started = time.time_ns()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in (FACTS, METRICS):
                is_run = True
            elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                inside.append(entry.name)
    return (changed if started - changed > SETTLED else 0), sorted(inside), is_run
