"""How many threads read images."""

from __future__ import annotations

import os

from mindzoo.utils.cluster.cores import own_cores

MOST_WORKERS = 32


def worker_count(wanted: int) -> int:
    """`wanted` threads, or where it is 0 one for each core of this rank; MindSpore refuses more than there are cores."""
    if wanted:
        return min(wanted, os.cpu_count() or 1)
    return min(own_cores(), MOST_WORKERS)
