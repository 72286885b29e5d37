"""The worker's side of a served arm: rounds are asked for on stdin and answered on stdout, a JSON object a line.

Workers run in environments of their own, so this module needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

Step = Callable[[], int]  # does a piece of work, and returns how many images it took
STATUS = Path("/proc/self/status")


def serve(prepare: Callable[[dict[str, Any]], Step]) -> None:
    """Prepare with the settings on the command line, say so, and then do a round for each line that comes.

    A round {"seconds": s} repeats the step until s seconds are over, at least once, and is answered by
    {"images": n, "seconds": t, "peak_mb": m}. The worker ends where stdin does.
    """
    answers = _own_stdout()
    step = prepare(json.loads(sys.argv[1]))
    _say(answers, {"ready": True, "peak_mb": peak_mb()})
    for line in sys.stdin:
        images, seconds = repeated(step, json.loads(line)["seconds"])
        _say(answers, {"images": images, "seconds": seconds, "peak_mb": peak_mb()})


def repeated(step: Step, seconds: float) -> tuple[int, float]:
    """Images and seconds of steps until `seconds` are over."""
    images, started = 0, time.perf_counter()
    while True:
        images += step()
        passed = time.perf_counter() - started
        if passed >= seconds:
            return images, passed


def peak_mb() -> float:
    """The most memory, in 10^6 bytes, that this process ever held; of Linux alone.

    getrusage would count what the parent held when this process was made.
    """
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _own_stdout() -> TextIO:
    """The stdout that answers go to; what libraries print there goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()
