"""Seconds that move while something is under way that cannot say how far it is: silence for a minute looks like a hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mindzoo.utils.progress.work import of

SECONDS_BETWEEN = 1.0


@contextmanager
def ticking(text: str) -> Iterator[None]:
    """Show the seconds that the block takes, where a line moves or programs read it."""
    with of(text, 1, "", lines=False) as work:
        over = threading.Event()

        def show() -> None:
            while not over.wait(SECONDS_BETWEEN):
                work.show()

        # MindSpore's compiler lets other threads go on most of the time.
        thread = threading.Thread(target=show, name=text, daemon=True)
        if work.is_shown:
            thread.start()
        try:
            yield
            work.done = 1
        finally:
            over.set()
            if work.is_shown:
                thread.join()
