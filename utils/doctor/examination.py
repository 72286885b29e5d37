"""`mindzoo doctor`: checks this machine and says what is wrong, one line per check.

It needs no MindSpore, so that it can say what is wrong where MindSpore is missing or cannot be loaded: in a clone
`python . doctor` runs all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mindzoo.utils import log
from mindzoo.utils.cluster import ports
from mindzoo.utils.config import reading
from mindzoo.utils.config.reading import key
from mindzoo.utils.doctor import ascend, leftovers, machine, table_check
from mindzoo.utils.doctor.finding import Finding
from mindzoo.utils.errors import exit_status


@dataclass(frozen=True)
class DoctorConfig:
    """What to check"""

    devices: int = key(0, "Ascend devices that this machine must have; 0: any number, or none", minimum=0)
    port: int = key(
        0,
        f"port at which ranks are to meet on server 0; 0: {ports.SHARED_PORT}, which a job on one server can do without",
        minimum=0,
        maximum=65535,
    )
    folder: str = key(".", "folder that a job is to write to")
    free_gb: float = key(5.0, "space that must be free there, in GB (10^9 bytes)", minimum=0)
    rank_table: str = key("", "rank table to check; not given: the one that RANK_TABLE_FILE names, if any")
    node_rank: int = key(
        -1, "number of this server in the rank table, from 0; -1: found by SERVER_ID or by address", minimum=-1
    )


def main(argv: Sequence[str], prog: str = "mindzoo doctor") -> int:
    """Check this machine; returns 0, 1 where a problem was found, 2 where `argv` is wrong."""
    findings: list[Finding] = []

    def run() -> None:
        loaded = reading.load(DoctorConfig, argv, prog=prog, description="Check this machine and say what is wrong.")
        log.start()
        for finding in examine(loaded.config):
            log.logger.info("%s", finding)
            findings.append(finding)
        log.logger.info(summary(findings))

    return exit_status(run) or int(any(finding.level == "problem" for finding in findings))


def examine(settings: DoctorConfig) -> Iterator[Finding]:
    """The outcome of each check, as soon as it is there."""
    yield from machine.check_versions()
    yield from ascend.check(settings.devices)
    yield machine.check_cpu()
    table = table_check.check(settings.rank_table, settings.node_rank)
    yield table.finding
    yield machine.check_port(settings.port or ports.SHARED_PORT, needed=settings.port > 0 or table.servers > 1)
    if ascend.device_numbers():
        yield machine.check_hccl_ports()
    yield machine.check_disk(settings.folder, settings.free_gb)
    yield leftovers.check_locks()
    yield leftovers.check_processes()
    yield leftovers.check_variables()


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how many problems and warnings there are."""
    counts = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    words = [f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    return " and ".join(words) or "nothing is wrong"
