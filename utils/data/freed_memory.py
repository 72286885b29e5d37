"""Memory that batches leave is kept for the next ones."""

from __future__ import annotations

import ctypes
import functools
import os
import platform

# glibc, malloc.h. A batch has tens of megabytes.
TOP_PAD, KEPT_BYTES = -2, 64 << 20


@functools.cache
def keep_freed_memory() -> None:
    """Let glibc keep up to 64 MB of what is freed, once for this process.

    As it is, it gives the memory of each image and each batch back to the system, which then hands it out anew page by page: a
    third of the time of a pipeline. Where the user has set up malloc by the environment, that stays.
    """
    set_up = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if platform.libc_ver()[0] == "glibc" and not set_up:
        ctypes.CDLL(None).mallopt(TOP_PAD, KEPT_BYTES)
