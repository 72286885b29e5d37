"""Processes of a job: whether one lives, which belong to it, and how one is bound to the life of another."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# In the environment of every process of a job, with a value of its own per job.
JOB_VARIABLE = "MINDZOO_JOB"
# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# proc_pid_stat(5): ended, and stopped by a signal
GONE = ("", "Z", "X")
HALTED = "T"


def state(pid: int) -> str:
    """The letter that /proc has for a process; empty where there is none, R where there is one but no /proc."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return ""
    except OSError:
        return "" if Path("/proc/self").exists() else "R"


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    return state(pid) not in GONE


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def of_job(job: str) -> list[int]:
    """All living processes that were started with this job's variable, but for this one."""
    return [pid for pid in _all() if pid != os.getpid() and is_of_job(pid, job) and is_alive(pid)]


def is_of_job(pid: int, job: str) -> bool:
    """Whether the process was started with this job's variable."""
    try:
        return f"{JOB_VARIABLE}={job}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or it is somebody else's
        return False


def with_argument(name: str) -> dict[int, Path]:
    """All living processes that have a file of this name for their last argument, and that file, by pid."""
    found = {}
    for pid in _all():
        try:
            last = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2]
        except OSError:  # it ended, or it is somebody else's
            continue
        path = Path(os.fsdecode(last))
        if path.name == name and is_alive(pid):
            found[pid] = path
    return found


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the system send a signal to this process when the one that started it ends, however that ends (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of processes that those started from here leave behind, instead of init (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def bury_orphans() -> None:
    """Wait for the children that have ended: in a container nobody else may do it."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
