"""Long work of which some is done: how much, how fast, how long the rest takes."""

from __future__ import annotations

import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from mindzoo.utils import log
from mindzoo.utils.files import size_text
from mindzoo.utils.log import ProgressDisplay

T = TypeVar("T")
BYTES = "bytes"
# Seconds between two times that it is shown: more often is flicker, or fills a file.
IN_PLACE, IN_JSON, IN_LINES = 0.2, 1.0, 30.0
# The rate is that of the last seconds: the first batch may have compiled a graph.
SECONDS_BETWEEN_MARKS, MARKS = 1.0, 30
NOWHERE = ProgressDisplay(sys.stdout, "off")


@contextmanager
def of(what: str, total: int | None, unit: str, *, done: int = 0, lines: bool = True) -> Iterator[Work]:
    """Work in the block, shown by the log's display while it goes on.

    Args:
        what: the work, in a word or two.
        total: how much there is in all; None: nobody knows.
        unit: of what, in the plural; "bytes" are shown as MB and so on, and "" is work that is done at once: only its
            seconds are.
        done: how much of it was done before.
        lines: False: where the display writes lines into a log, this work adds none.
    """
    work = Work(what, total, unit, done=done, lines=lines)
    try:
        yield work
    finally:
        work.end()


def each(items: Iterable[T], what: str, total: int, unit: str) -> Iterator[T]:
    """The items, each of which is done when the next one is asked for."""
    with of(what, total, unit) as work:
        for item in items:
            yield item
            work.advance()


class Work:
    """See `of`."""

    def __init__(
        self,
        what: str,
        total: int | None,
        unit: str,
        *,
        done: int = 0,
        lines: bool = True,
        display: ProgressDisplay | None = None,
    ) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self.display = display or log.display() or NOWHERE
        if not self.display.of_first or not (lines or self.display.in_place or self.display.how == "json"):
            self.display = NOWHERE
        self.begun = self.shown = time.monotonic()
        self.marks = deque([(self.begun, done)], MARKS)
        if self.display.how == "json":
            self.show()

    def advance(self, count: int = 1) -> None:
        """Count so much as done, and show it where it is time to."""
        self.done += count
        now = time.monotonic()
        if now - self.marks[-1][0] >= SECONDS_BETWEEN_MARKS:
            self.marks.append((now, self.done))
        if now - self.shown >= self._seconds_between:
            self.show()

    def show(self) -> None:
        """Show it now."""
        self.shown = time.monotonic()
        if self.display.how == "json":
            self._write_json()
        else:
            self.display.show(self.line())

    def end(self) -> None:
        """Take the line away; as JSON it is shown once more, with what was done in the end."""
        if self.display.how == "json":
            self._write_json()
        self.display.clear()

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it."""
        return self.display.how != "off"

    @property
    def rate(self) -> float:
        """How much a second, of late; NaN before anything is done."""
        since, before = self.marks[0]
        seconds = time.monotonic() - since
        return (self.done - before) / seconds if self.done > before and seconds > 0 else math.nan

    @property
    def seconds_left(self) -> float:
        """NaN where nobody knows."""
        return math.nan if self.total is None else max(self.total - self.done, 0) / self.rate

    def line(self) -> str:
        """The work in a line for people."""
        if not self.unit:
            return f"{self.what} ... {time.monotonic() - self.begun:.0f} s"
        of_total = "" if self.total is None else f" of {self._amount(self.total)}"
        unit = "" if self.unit == BYTES else f" {self.unit}"
        text = f"{self.what}: {self._amount(self.done)}{of_total}{unit}"
        if math.isnan(self.rate):
            return text
        rate = f"{size_text(round(self.rate))}/s" if self.unit == BYTES else f"{self.rate:.1f}{unit}/s"
        left = "" if math.isnan(self.seconds_left) else f", {duration(self.seconds_left)} left"
        return f"{text}, {rate}{left}"

    def facts(self) -> dict[str, Any]:
        """The work for programs; null where nobody knows."""
        rate, left = (None if math.isnan(value) else round(value, 3) for value in (self.rate, self.seconds_left))
        seconds = round(time.monotonic() - self.begun, 3)
        counts = {"what": self.what, "done": self.done, "total": self.total, "unit": self.unit}
        return {**counts, "rate": rate, "seconds_left": left, "seconds": seconds}

    @property
    def _seconds_between(self) -> float:
        if self.display.how == "json":
            return IN_JSON
        return IN_PLACE if self.display.in_place else IN_LINES

    def _amount(self, count: int) -> str:
        return size_text(count) if self.unit == BYTES else f"{count:,}"

    def _write_json(self) -> None:
        with self.display.lock:
            try:
                sys.stderr.write(json.dumps(self.facts()) + "\n")
                sys.stderr.flush()
            except OSError:  # the reader is gone; the work goes on
                self.display.how = "off"


def duration(seconds: float) -> str:
    """1:02:03 for 3723."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
