"""What a machine is, as far as it decides how fast things are; nothing that names this one."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
WIDEST = ("avx512f", "avx2")  # the widest vectors first


def facts() -> dict[str, str | int]:
    """CPU, cores, memory in 10^9 bytes, system and Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} on {platform.machine()}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    pairs = (line.partition(":") for line in CPU_INFO.read_text().splitlines())
    lines = {name.strip(): value.strip() for name, _, value in pairs}
    flags = lines.get("flags", "").split()
    widest = next((f" with {name.upper()}" for name in WIDEST if name in flags), "")
    return f"{lines.get('model name', platform.machine())}{widest}"
