"""One step in a process of its own, which may crash or hang: it is started, waited for, and ended where it must be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from mindzoo.utils import environment
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import processes
from mindzoo.utils.selftest import outcome
from mindzoo.utils.selftest.job import Job, Step
from mindzoo.utils.selftest.outcome import LeftOut, NotRight, Outcome, anonymous

LOG = "log"
GRACE_SECONDS = 10.0  # between the request to end and the end by force


def run(name: str, words: Sequence[str], folder: Path, seconds: float, enough: float) -> Outcome:
    """What became of the step that `mindzoo selftest` takes with these words.

    Args:
        name: of the step.
        folder: to work in; it exists, and gets the step's log.
        seconds: after which it is ended.
        enough: seconds in which a step that is well has ended; one that had fewer has not failed.
    """
    command = [sys.executable, str(environment.ROOT), "selftest", *words, "--inside", str(folder)]
    started = time.monotonic()
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        status: int | None = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        end(process)
    found = outcome.read(folder)
    if status is None and seconds < enough:
        found = Outcome(name, "left out", f"{seconds:.0f} s, all that were left, do not suffice")
    elif status is None:
        found = Outcome(name, "failed", f"no end after {seconds:.0f} s: it was ended")
    elif found is None:
        found = Outcome(
            name, "failed", anonymous(f"it {_ended(status)}; the last line of its log: {_last_line(folder)}")
        )
    spent = {"seconds": round(time.monotonic() - started, 1), "limit_seconds": round(seconds, 1)}
    return Outcome(name, found.result, found.said, found.numbers, **spent)


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process of the step behind; those that it started are in its group."""
    if os.name != "posix":
        process.kill()
        process.wait()
        return
    asked = _send(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while asked and time.monotonic() < deadline and _send(process.pid, 0):
        process.poll()  # one that ended and was not waited for counts as there
        time.sleep(0.05)
    _send(process.pid, signal.SIGKILL)
    process.wait()


def _send(group: int, number: int) -> bool:
    """Whether there was anybody to get the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _last_line(folder: Path) -> str:
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "nothing")


def follow_parent() -> None:
    """In that process: end when the one that waits for it does, however that ends."""
    if sys.platform.startswith("linux"):
        processes.end_with_parent()


def take(name: str, step: Step, job: Job) -> None:
    """In that process: take the step, and leave what became of it."""
    try:
        said, numbers = step.take(job)
        found = Outcome(name, "passed", anonymous(said), numbers)
    except LeftOut as error:
        found = Outcome(name, "left out", anonymous(str(error)))
    except (NotRight, UserError) as error:
        found = Outcome(name, "failed", anonymous(str(error)))
    except Exception as error:
        traceback.print_exc()
        found = Outcome(name, "failed", anonymous(f"{type(error).__name__}: {error}"))
    outcome.write(job.folder, found)
