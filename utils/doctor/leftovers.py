"""Checks for what earlier jobs left behind: lock files, processes, variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.doctor.finding import Finding, ok, problem, warning
from mindzoo.utils.errors import shorten

# The scripts of the original zoo for ModelArts leave one for each copy, and skip the copy where it is there.
LOCKS = "copy_sync.lock*"
VARIABLES = (
    *("RANK_TABLE_FILE", "MINDSPORE_HCCL_CONFIG_PATH", "RANK_ID", "RANK_SIZE", "DEVICE_ID", "DEVICE_NUM", "SERVER_ID"),
    *("MS_ROLE", "MS_NODE_ID", "MS_WORKER_NUM", "MS_SERVER_NUM", "MS_SCHED_NUM", "MS_SCHED_HOST", "MS_SCHED_PORT"),
    *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
)
JOINING = ("MS_ROLE", "OMPI_COMM_WORLD_SIZE")  # with one of these a training looks for other ranks
REAPERS = ("systemd", "init", "tini", "dumb-init", "docker-init", "catatonit")


def check_locks(folder: Path = Path("/tmp")) -> Finding:
    """No lock file of a copy from or to ModelArts is there."""
    found = sorted(str(path) for path in folder.glob(LOCKS))
    if not found:
        return ok("lock files", f"none in {folder}")
    return warning(
        "lock files",
        f"{shorten(found)} of an earlier job; scripts of the original zoo then skip copying data and results "
        "(mindzoo does not use them): delete them where no such job runs",
    )


def check_processes() -> Finding:
    """No rank runs on without a launcher, and no other job runs."""
    if not Path("/proc/self/environ").exists():
        return ok("processes", "not checked: this system has no /proc")
    found = _processes()
    ranks = [p for p in found.values() if p.is_rank and not (p.parent in found and found[p.parent].is_rank)]
    orphans = [str(p.pid) for p in ranks if _is_left_alone(p, found)]
    if orphans:
        return problem(
            "processes",
            f"ranks run on without a launcher, and keep their devices and ports: kill {' '.join(orphans)}",
        )
    launchers = [str(p.pid) for p in found.values() if p.is_msrun]
    if launchers:
        return warning("processes", f"a job is running (msrun: {shorten(launchers)}); its devices and ports are taken")
    return ok("processes", "no rank of another job")


def check_variables() -> Finding:
    """No variable tells a training that it is a rank of another job."""
    found = [name for name in VARIABLES if name in os.environ]
    if not found:
        return ok("variables", "none of another job")
    joining = [name for name in JOINING if name in os.environ]
    unset = f"where they are of an earlier job: unset {' '.join(found)}"
    if joining:
        return problem("variables", f"{joining[0]} is set, so that a training waits for other ranks; {unset}")
    return warning("variables", f"{', '.join(f'{name}={os.environ[name]}' for name in found)}; {unset}")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    name: str
    is_rank: bool  # or a child of one: both have the variable
    is_msrun: bool


def _processes() -> dict[int, _Process]:
    """What may be read of all living processes but this one, by pid."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            words = (entry / "cmdline").read_bytes().split(b"\0")
            name, rest = status[status.index("(") + 1 : status.rindex(")")], status[status.rindex(")") + 1 :].split()
        except (OSError, ValueError):  # it ended
            continue
        if rest[0] in ("Z", "X") or int(entry.name) == os.getpid():
            continue
        is_msrun = any(word.endswith((b"/msrun", b"mindspore.parallel.cluster.run")) for word in words[:4])
        found[int(entry.name)] = _Process(int(entry.name), int(rest[1]), name, _has_role(entry), is_msrun)
    return found


def _has_role(entry: Path) -> bool:
    try:
        return any(text.startswith(b"MS_ROLE=") for text in (entry / "environ").read_bytes().split(b"\0"))
    except OSError:  # it is another user's
        return False


def _is_left_alone(process: _Process, found: dict[int, _Process]) -> bool:
    """Whether its parent ended, so that it was handed to the system's first process, or to one that stands in for it."""
    parent = found.get(process.parent)
    if parent is None or process.is_msrun or parent.is_msrun:
        return False
    return parent.pid == 1 or parent.name in REAPERS
