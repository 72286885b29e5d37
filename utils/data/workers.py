"""How many threads read images."""

from __future__ import annotations

import os

MOST_WORKERS = 32
# How many cores a rank has, which the launcher shares out among those of a server.
CORES_VARIABLE = "MINDZOO_CORES"


def worker_count(wanted: int) -> int:
    """`wanted` threads, or where it is 0 one for each core of this rank; MindSpore refuses more than there are cores."""
    if wanted:
        return min(wanted, os.cpu_count() or 1)
    shared_out = os.environ.get(CORES_VARIABLE, "")
    if shared_out.isdecimal():
        return min(max(int(shared_out), 1), MOST_WORKERS)
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(own, MOST_WORKERS)
