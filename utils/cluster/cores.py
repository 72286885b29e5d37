"""How many cores this process may use, and how many threads may compute on them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "MINDZOO_CORES"  # the share of a rank, as its launcher says
SIBLINGS = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
GROUPS, GROUP_OF_PROCESS = "sys/fs/cgroup", "proc/self/cgroup"


def own_cores() -> int:
    """How many cores this process may use: its share where a launcher shared them out among ranks."""
    shared_out = os.environ.get(VARIABLE, "")
    return max(int(shared_out), 1) if shared_out.isdecimal() else all_cores()


def computing_threads(root: Path = Path("/")) -> int:
    """How many threads may compute: two of one physical core share its arithmetic units, so they count as one."""
    usable = _usable()
    physical = {_siblings(root, number) for number in usable}
    return max(round(own_cores() * len(physical) / len(usable)), 1)


def all_cores(root: Path = Path("/")) -> int:
    """The cores that this machine, or container, gives the process: not more than its quota of time makes whole ones."""
    return max(min([len(_usable()), *(math.ceil(quota) for quota in _quotas(root))]), 1)


def _usable() -> list[int]:
    """Numbers of the cores on which the process may run."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _siblings(root: Path, number: int) -> str:
    """The cores that are threads of one physical core, with this one; itself where the system does not say it."""
    with suppress(OSError):
        return (root / SIBLINGS.format(number)).read_text().strip()
    return str(number)


def _quotas(root: Path) -> Iterator[float]:
    """Cores by the time that control groups of Linux allow: those of the process and of what it is in."""
    groups = root / GROUPS
    with suppress(OSError):
        own = [line.partition("::")[2] for line in (root / GROUP_OF_PROCESS).read_text().splitlines()]
        path = groups / max(own, default="").strip("/")
        for folder in (path, *path.parents):
            yield from _quota(folder / "cpu.max")
            if folder == groups:
                break
    with suppress(OSError, ValueError):  # the first version of control groups, as a container sees it
        quota, period = (int((groups / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if quota > 0:
            yield quota / period


def _quota(file: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):
        quota, period = file.read_text().split()
        if quota != "max":
            yield int(quota) / int(period)
