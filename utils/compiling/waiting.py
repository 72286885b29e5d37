"""What is said while something compiles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mindzoo.utils import log, progress


@dataclass
class Wait:
    """How a wait ended, in words to which the seconds are added."""

    outcome: str = "compiled in"


@contextmanager
def moving(text: str) -> Iterator[Wait]:
    """Log that `text` happens in the block, and how long it took; where a line moves, its seconds are shown meanwhile."""
    wait, begin = Wait(), time.perf_counter()
    log.aside("%s ...", text)
    with progress.ticking(text):
        yield wait
    log.aside("%s %.1f s", wait.outcome, time.perf_counter() - begin)
