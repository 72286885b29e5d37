"""Checks of a machine that need no device: versions, processor, port, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from mindzoo.utils import environment
from mindzoo.utils.cluster import ports
from mindzoo.utils.doctor.finding import Finding, ok, problem, warning
from mindzoo.utils.engine import choice
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.native import library
from mindzoo.utils.native.building import UnavailableError

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
    limit = os.environ.get(environment.ONEDNN_VARIABLE, "")
    if limit.upper() in ("ALL", "DEFAULT") or "AVX512" in limit.upper() or "AMX" in limit.upper():
        return warning(
            "CPU",
            f"{environment.ONEDNN_VARIABLE} is {limit}, with which 3x3 convolutions are very slow here; unset it, or set "
            f"{environment.ONEDNN_LIMIT}",
        )
    said = f"{environment.ONEDNN_VARIABLE}={limit or environment.ONEDNN_LIMIT} {'is' if limit else 'will be'}"
    return ok("CPU", f"{cores} with AVX-512; {said} set")


def check_native() -> Finding:
    """The operators that train faster on a CPU than MindSpore's own can be used."""
    try:
        return ok("operators", f"native ones for trainings on the CPU: {library.outlook()}")
    except UnavailableError as error:
        return warning("operators", f"not here: {error}; trainings on a CPU take MindSpore's own, which are slower")


def check_decoder() -> Finding:
    """The decoder of a training's JPEG pictures that is faster than MindSpore's can be used."""
    try:
        from mindzoo.utils.native import jpeg_part  # which needs NumPy

        return ok("decoder", f"native one for the JPEG pictures of trainings: {jpeg_part.outlook()}")
    except (UnavailableError, ImportError) as error:
        return ok("decoder", f"MindSpore's for the JPEG pictures of trainings; not the native one: {error}")


def check_engine() -> Finding:
    """What computes for commands that use a checkpoint on the CPU."""
    try:
        chosen = choice.choose("auto", "CPU")
    except UserError as error:
        return warning("engine", str(error))
    if chosen == choice.ONNX_RUNTIME:
        return ok("engine", f"ONNX Runtime {version('onnxruntime')} for eval, predict, embed and query on the CPU")
    if choice.obstacle_on("CPU"):
        return ok("engine", f"MindSpore; ONNX Runtime is faster on a CPU: pip install {' '.join(choice.PACKAGES)}")
    return ok("engine", f"MindSpore, as {choice.VARIABLE} says")


def check_port(number: int, *, needed: bool) -> Finding:
    """Ranks can meet at this port; on one server a launch takes another one, and it is not `needed`."""
    if _is_free(number):
        return ok("port", f"{number} is free")
    what = f"{number} is taken (ss -ltnp 'sport = :{number}' names the process)"
    if needed:
        return problem("port", f"{what}; end that process, or take another port on all servers with --master_port")
    return warning("port", f"{what}; a job on one server takes another one, a job on several needs --master_port")


def check_hccl_ports(wanted: range = HCCL_PORTS) -> Finding:
    """The ports that HCCL takes on a server with Ascend devices are free."""
    first = os.environ.get("HCCL_IF_BASE_PORT", "")
    if first and not (first.isdecimal() and 1024 <= int(first) <= 65520):
        return warning("HCCL ports", f"HCCL_IF_BASE_PORT is {first}; wanted 1024 to 65520")
    if first:
        wanted = range(int(first), int(first) + len(wanted))
    names, taken = f"{wanted[0]} to {wanted[-1]}", [str(port) for port in wanted if not _is_free(port)]
    if not taken:
        return ok("HCCL ports", f"{names} are free")
    return warning(
        "HCCL ports",
        f"of {names} {shorten(taken)} are taken; where no other job has them, set HCCL_IF_BASE_PORT on all servers to the "
        "first of 16 free ones",
    )


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


def _is_free(port: int) -> bool:
    try:
        ports.bind("0.0.0.0", port)
    except UserError:
        return False
    return True
