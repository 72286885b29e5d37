"""The check of a rank table against the machine that it is used on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from mindzoo.utils import environment
from mindzoo.utils.cluster import addresses, rank_table
from mindzoo.utils.doctor.finding import Finding, ok, problem, warning
from mindzoo.utils.errors import UserError, counted, shorten

SUBJECT = "rank table"


class Checked(NamedTuple):
    """What was found, and over how many servers a job with this table runs."""

    finding: Finding
    servers: int = 1


def check_table(
    path: str, node_rank: int = -1, nodes: Path = environment.DEVICE_NODES, hccn_conf: Path = addresses.HCCN_CONF
) -> Checked:
    """Check the table at `path`, or that of RANK_TABLE_FILE; `node_rank` -1: this server is to be found."""
    path = path or os.environ.get("RANK_TABLE_FILE", "")
    if not path:
        return Checked(ok(SUBJECT, "none, and none is needed: --rank_table FILE checks one"))
    try:
        table = rank_table.read_table(path)
        number = rank_table.local_server(table, None if node_rank < 0 else node_rank, hccn_conf)
    except UserError as error:
        return Checked(problem(SUBJECT, str(error)))
    return Checked(_compare(table, number, nodes, addresses.read_hccn_conf(hccn_conf)), len(table.servers))


def _compare(table: rank_table.RankTable, number: int, nodes: Path, configured: dict[int, str]) -> Finding:
    """The devices of this server are there, with the addresses that they have."""
    devices, present = table.devices_of(number), environment.device_numbers(nodes)
    for device in devices:
        own = configured.get(device.device_id, device.device_ip)
        if device.device_ip and own != device.device_ip:
            what = f"device {device.device_id} is at {device.device_ip} in {table.path}, and at {own} in hccn.conf"
            return problem(SUBJECT, f"{what}; {rank_table.MAKE_ONE}")
    absent = [str(device.device_id) for device in devices if device.device_id not in present]
    if absent and present:
        what = f"this server has no device {shorten(absent)}, which {table.path} lists"
        return problem(SUBJECT, f"{what}; hand it to the container, or make the table with those that are there")
    servers = counted(len(table.servers), "server")
    text = f"{counted(table.world_size, 'rank')} on {servers}; this is server {number}, with ranks {shorten(map(str, table.ranks_of(number)), 16)}"
    if absent:
        return warning(SUBJECT, f"{text}; it has no Ascend device, and the ranks can run on its CPU only")
    if len(table.servers) > 1 and not devices[0].device_ip:
        return warning(SUBJECT, f"{text}; no device_ip: devices of several servers may need theirs")
    return ok(SUBJECT, text)
