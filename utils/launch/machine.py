"""Checks of a machine that need no device: versions, processor, port, disk."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from mindzoo.utils import environment
from mindzoo.utils.errors import shorten
from mindzoo.utils.launch.finding import Finding, ok, problem, warning

PORT = 8118  # that msrun's ranks meet at unless they are told another one
HCCL_PORTS = range(60000, 60016)  # of each server, unless HCCL_IF_BASE_PORT says otherwise
GB = 10**9
CPUINFO = Path("/proc/cpuinfo")


def check_versions() -> Iterator[Finding]:
    """Python, platform, NumPy and MindSpore are in the supported ranges."""
    for subject, (found, why_not) in environment.examine().items():
        doubt = environment.find_doubt() if subject == "MindSpore" else None
        if why_not:
            yield problem(subject, why_not)
        elif doubt:
            yield warning(subject, f"{doubt}; if something fails, install a version of the supported range")
        else:
            yield ok(subject, found)


def check_cpu(cpuinfo: Path = CPUINFO) -> Finding:
    """oneDNN is kept from code that makes 3x3 convolutions 20 to 100 times slower on AVX-512."""
    cores = f"{os.cpu_count()} cores"
    try:
        avx512 = "avx512" in cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        avx512 = False
    if not avx512 or not environment.slow_avx512_convolution():
        return ok("CPU", cores)
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    if limit.upper() in ("ALL", "DEFAULT") or "AVX512" in limit.upper() or "AMX" in limit.upper():
        return warning(
            "CPU",
            f"ONEDNN_MAX_CPU_ISA is {limit}, with which 3x3 convolutions are very slow here; unset it, or set AVX2",
        )
    return ok("CPU", f"{cores} with AVX-512; ONEDNN_MAX_CPU_ISA={limit or 'AVX2'} {'is' if limit else 'will be'} set")


def check_port(number: int, *, needed: bool) -> Finding:
    """Ranks can meet at this port; on one server a launch takes another one, and it is not `needed`."""
    if is_free(number):
        return ok("port", f"{number} is free")
    what = f"{number} is taken (ss -ltnp 'sport = :{number}' names the process)"
    if needed:
        return problem("port", f"{what}; end that process, or take another port on all servers with --master_port")
    return warning("port", f"{what}; a job on one server takes another one, a job on several needs --master_port")


def check_hccl_ports(ports: range = HCCL_PORTS) -> Finding:
    """The ports that HCCL takes on a server with Ascend devices are free."""
    first = os.environ.get("HCCL_IF_BASE_PORT", "")
    if first.isdecimal():
        ports = range(int(first), int(first) + len(ports))
    names, taken = f"{ports[0]} to {ports[-1]}", [str(port) for port in ports if not is_free(port)]
    if not taken:
        return ok("HCCL ports", f"{names} are free")
    return warning(
        "HCCL ports",
        f"of {names} {shorten(taken)} are taken; where no other job has them, set HCCL_IF_BASE_PORT on all servers to the "
        "first of 16 free ones",
    )


def is_free(port: int) -> bool:
    """Whether a server can listen at this port on all addresses of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed a moment ago is free
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def check_disk(folder: str, free_gb: float) -> Finding:
    """The folder can be written to, and has space."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        return problem("disk", f"{place} is a file; wanted a folder: name another --folder")
    if not os.access(place, os.W_OK | os.X_OK):
        return problem("disk", f"this user may not write to {place}; name another --folder, or change its owner")
    free = shutil.disk_usage(place).free / GB
    if free < free_gb:
        return problem(
            "disk", f"{free:.1f} GB are free in {place}; wanted {free_gb:g}: delete old runs, or use another disk"
        )
    return ok("disk", f"{free:.1f} GB are free in {place}")
