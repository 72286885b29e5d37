"""What the supervisor shows: a rank's log as it grows, and the last lines of what failed."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from mindzoo.utils.launch.job_plan import JobPlan

LINES = 20
TAIL_BYTES = 20_000


def say(text: str) -> None:
    """A line of the supervisor's own."""
    show(f"launch: {text}")


def show(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Follower:
    """Shows what is added to a file from now on; nothing where there is no file to follow."""

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
        self.shown += len(new)
        if new:
            sys.stdout.flush()
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()


def failure(plan: JobPlan, failed: int | None, status: int) -> None:
    """Name the first rank that failed and show the last lines of its log; without one, those of msrun."""
    logs = {own.rank: Path(own.log) for own in plan.ranks}
    if failed is not None:
        say(f"rank {failed} failed first, {described(status)}; the last lines of {logs[failed]}:")
        for line in last_lines(logs[failed]):
            show(f"    {line}")
        return
    say(f"msrun ended before its ranks did; the last lines of its logs in {plan.log_dir}:")
    for name in ("msrun.log", "scheduler.log"):
        for line in last_lines(Path(plan.log_dir) / name):
            show(f"    {line}")


def described(status: int) -> str:
    """An exit status in words."""
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
