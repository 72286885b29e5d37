"""Several trackers as one, of which none can end the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mindzoo.utils.log import logger
from mindzoo.utils.trackers.tracker import Tracker


class Several:
    """Hands everything on. A tracker that fails is left out from then on, with a warning."""

    def __init__(self, classes: Mapping[str, type[Tracker]], folder: Path) -> None:
        self.trackers: dict[str, Tracker] = {}
        for name, made in classes.items():
            with self._forgiving(name):
                self.trackers[name] = made(folder)

    def start(self, settings: Mapping[str, Any], step: int) -> None:
        """See `Tracker`."""
        for name, tracker in list(self.trackers.items()):
            with self._forgiving(name):
                tracker.start(settings, step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `Tracker`."""
        for name, tracker in list(self.trackers.items()):
            with self._forgiving(name):
                tracker.log(step, values)

    def finish(self) -> None:
        """See `Tracker`."""
        for name, tracker in list(self.trackers.items()):
            with self._forgiving(name):
                tracker.finish()
        self.trackers = {}

    @contextmanager
    def _forgiving(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a tracker may be anything, also a client of a server
            self.trackers.pop(name, None)
            logger.warning(
                "the tracker %s failed, and gets no more of this run: %s: %s", name, type(error).__name__, error
            )
