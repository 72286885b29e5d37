"""A command under way, and the lines that it has printed so far."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mindzoo.tests.support import launched
from mindzoo.tests.support.launched import LaunchedJob

LIMIT = 300  # seconds for anything that a process is waited for
STEP = re.compile(r"epoch (\d+)/\d+ step (\d+)/(\d+) ")


class Command:
    """A child process whose lines are read as they come."""

    def __init__(self, command: Sequence[str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=launched.environment()
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, wanted: Callable[[str], bool]) -> str | None:
        """The first line so far, or from now on, that is wanted; None where the process ended without one."""
        seen, end = 0, time.monotonic() + LIMIT
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                if self._over or not self._changed.wait(timeout=max(end - time.monotonic(), 0.0)):
                    return None

    def wait_for_step(self, step: int) -> bool:
        """Wait until `step` steps of the whole training are done; False where the process ended before."""
        return self.wait_for(lambda line: steps_in(line) >= step) is not None

    def end(self, limit: float = LIMIT) -> int | None:
        """The exit status; None where the process still ran after `limit` seconds, and was killed."""
        try:
            status = self.process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self._reader.join(timeout=10)
        return status

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        self.send(signal.SIGKILL)
        self.process.wait()
        self._reader.join(timeout=10)

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    @property
    def said(self) -> str:
        """All that was printed."""
        return "\n".join(self.lines)

    def output(self) -> Iterator[str]:
        """The lines, as they come."""
        assert self.process.stdout is not None
        yield from self.process.stdout

    def _read(self) -> None:
        for line in self.output():
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Job(Command):
    """`mindzoo launch` under way; the lines are its own, and those of rank 0 from its log."""

    def __init__(self, command: Sequence[str], cwd: Path) -> None:
        self.cwd, self.since = cwd, time.time()
        super().__init__(command, cwd)

    @property
    def job(self) -> LaunchedJob:
        """Its plan and processes."""
        return LaunchedJob(self.cwd, self.process, self.since)

    def output(self) -> Iterator[str]:
        while self.process.poll() is None and not self._log():
            time.sleep(0.02)
        log = self._log()
        if log:
            yield from self._followed(log)
        yield from super().output()

    def _log(self) -> Path | None:
        path = Path(self.job.plan["ranks"][0]["log"]) if self.job.plans else None
        return path if path and path.exists() else None

    def _followed(self, path: Path) -> Iterator[str]:
        with path.open(errors="replace") as log:
            rest = ""
            while True:
                running = self.process.poll() is None
                read = log.read()
                rest += read
                *whole, rest = rest.split("\n")
                yield from whole
                if not read and not running:
                    return
                if not read:
                    time.sleep(0.002)


def steps_in(line: str) -> int:
    """The steps that are done by a line of progress; 0 for any other line."""
    found = STEP.search(line)
    return (int(found[1]) - 1) * int(found[3]) + int(found[2]) if found else 0


def pause(seconds: float) -> None:
    """Wait, also for less than the clock's usual step."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        os.sched_yield()
