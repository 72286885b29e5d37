"""What the supervisor shows: a rank's log as it grows, and the last lines of what failed."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mindzoo.utils.launch.job_plan import HALTED

if TYPE_CHECKING:
    from mindzoo.utils.launch.watch import Cause

LINES = 20
TAIL_BYTES = 20_000
# MindSpore's threads for messages between ranks say at the end that all went well, whatever GLOG_v is by then: its levels are
# gone before these threads are. Words of another level begin otherwise.
FAREWELL = re.compile(rb"^\[INFO\] DISTRIBUTED\(.*dispatch success!\n", re.MULTILINE)
FAREWELL_BEGINS = b"[INFO] DISTRIBUTED("
LEVEL = "GLOG_v"  # the environment variable with MindSpore's level, and its values of those who want such lines
TALKATIVE = ("0", "1")


def say(text: str) -> None:
    """A line of the supervisor's own."""
    show(f"launch: {text}")


def show(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Follower:
    """Shows what is added to a file from now on; nothing where there is no file to follow.

    Lines of `FAREWELL` are left out, unless MindSpore was asked for such by GLOG_v.
    """

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.shown = self.path.stat().st_size if self.path and self.path.exists() else 0

    def show(self) -> None:
        """Copy what is new to standard output."""
        if self.path is None or not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self.shown)
            new = file.read()
        *_, last = new.split(b"\n")
        if last.startswith(FAREWELL_BEGINS):  # it is not whole yet
            new = new[: -len(last)]
        self.shown += len(new)
        if os.environ.get(LEVEL) not in TALKATIVE:
            new = FAREWELL.sub(b"", new)
        if new:
            sys.stdout.flush()
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()


def failure(cause: Cause) -> None:
    """Name the process that failed first and show the last lines of its logs."""
    for number, log in enumerate(cause.logs):
        what = f"{cause.process} failed first, {described(cause.status)}; the" if number == 0 else "the"
        say(f"{what} last lines of {log}:")
        for line in last_lines(log):
            show(f"    {line}")


def described(status: int) -> str:
    """An exit status in words."""
    if status == HALTED:
        return "stopped by a signal and not continued"
    if status > 128 and status - 128 in set(signal.Signals):
        return f"ended by {signal.Signals(status - 128).name}"
    return f"with status {status}"


def last_lines(path: Path, count: int = LINES) -> list[str]:
    """The last lines of a text file that are not empty; a missing one has none."""
    if not path.exists():
        return []
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        text = file.read().decode("utf-8", "replace")
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()][-count:]
