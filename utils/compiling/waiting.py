"""A line that moves while something compiles: silence for a minute looks like a hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mindzoo.utils import log

SECONDS_BETWEEN = 1.0


@dataclass
class Wait:
    """How a wait ended, in words to which the seconds are added."""

    outcome: str = "compiled in"


@contextmanager
def moving(text: str) -> Iterator[Wait]:
    """Log that `text` happens in the block, and how long it took; on a terminal its seconds are shown meanwhile."""
    wait, begin = Wait(), time.perf_counter()
    log.logger.info("%s ...", text)
    with _seconds_shown(text):
        yield wait
    log.logger.info("%s %.1f s", wait.outcome, time.perf_counter() - begin)


@contextmanager
def _seconds_shown(text: str) -> Iterator[None]:
    display = log.display()
    if display is None or not display.in_place:
        yield
        return
    begin, over = time.monotonic(), threading.Event()

    def show() -> None:
        while not over.wait(SECONDS_BETWEEN):
            display.show(f"{text} ... {time.monotonic() - begin:.0f} s")

    # MindSpore's compiler lets other threads go on most of the time.
    thread = threading.Thread(target=show, name=text, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        display.clear()
