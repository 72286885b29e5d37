"""`mindzoo doctor`: checks this machine and says what is wrong, one line per check.

It needs no MindSpore, so that it can say what is wrong where MindSpore is missing or cannot be loaded: in a clone
`python . doctor` runs all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mindzoo.utils import environment, log
from mindzoo.utils.cluster import ports
from mindzoo.utils.doctor import ascend, host_name, kept_graphs, leftovers, machine, table_check
from mindzoo.utils.doctor.finding import Finding
from mindzoo.utils.doctor.keys import DoctorConfig
from mindzoo.utils.errors import counted


def report(config: DoctorConfig) -> bool:
    """Log the outcome of each check and a summary; whether there is a problem."""
    findings = []
    for finding in examine(config):
        log.logger.info("%s", finding)
        findings.append(finding)
    log.logger.info(summary(findings))
    return any(finding.level == "problem" for finding in findings)


def examine(settings: DoctorConfig) -> Iterator[Finding]:
    """The outcome of each check, as soon as it is there."""
    yield from machine.check_versions()
    yield from ascend.check_ascend(settings.devices)
    yield machine.check_cpu()
    yield machine.check_native()
    yield machine.check_decoder()
    yield machine.check_engine()
    table = table_check.check_table(settings.rank_table, settings.node_rank)
    yield table.finding
    yield host_name.check_host_name(table.servers)
    yield machine.check_port(settings.port or ports.SHARED_PORT, needed=settings.port > 0 or table.servers > 1)
    if environment.device_numbers():
        yield machine.check_hccl_ports()
    yield machine.check_disk(settings.folder, settings.free_gb)
    yield kept_graphs.check_kept_graphs()
    yield leftovers.check_locks()
    yield leftovers.check_processes()
    yield leftovers.check_variables()


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how many problems and warnings there are."""
    counts = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    words = [counted(count, level) for level, count in counts.items() if count]
    return " and ".join(words) or "nothing is wrong"
