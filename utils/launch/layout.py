"""Which ranks run on which server and device: from a rank table, or from counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mindzoo.utils.cluster import rank_table
from mindzoo.utils.cluster.rank_table import RankTable
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.launch.keys import LaunchConfig

# Seconds in which a platform may complete its rank table.
TABLE_SECONDS = 600
# Where visible devices must be given in ascending order; empty: the device is chosen later.
ASCENDING_ON = ("", "auto", "Ascend")


@dataclass(frozen=True)
class Layout:
    """The ranks of this server and those of the whole job."""

    size: int  # ranks on all servers
    ranks: tuple[int, ...]  # of this server
    devices: tuple[int, ...]  # of these ranks
    nodes: int
    node_rank: int
    master_addr: str
    table: RankTable | None = field(default=None, compare=False)  # that it is by


def lay_out(options: LaunchConfig) -> Layout:
    """The layout that the flags ask for.

    Raises:
        UserError: the rank table has faults or does not list this server, or counts do not go together.
    """
    return from_table(options) if options.rank_table else from_counts(options)


def from_table(options: LaunchConfig) -> Layout:
    """As the rank table says; a count that is given beside it must be the same.

    Raises:
        UserError: see `lay_out`.
    """
    table = rank_table.read_table(Path(options.rank_table), wait=options.cluster_timeout or TABLE_SECONDS)
    server = rank_table.local_server(table, None if options.node_rank < 0 else options.node_rank)
    devices = tuple(device.device_id for device in table.devices_of(server))
    asked = {"ranks": (options.ranks, table.world_size), "servers": (options.nodes, len(table.servers))}
    for what, (given, listed) in asked.items():
        if given and given != listed:
            raise UserError(
                f"{given} {what} were asked for, and the rank table {options.rank_table} lists {listed}; "
                "ask for as many, or make the table again"
            )
    if options.devices and options.devices != devices:
        raise UserError(f"devices has no place beside the rank table {options.rank_table}, which lists them")
    if list(devices) != sorted(devices) and options.device_target in ASCENDING_ON:
        ranks = shorten(map(str, table.ranks_of(server)))
        raise UserError(
            f"the ranks {ranks} of this server are on devices {','.join(map(str, devices))} in {table.path}; wanted devices "
            "that rise with the ranks, as Ascend takes no others: make the table again"
        )
    several = len(table.servers) > 1
    address = options.master_addr or (table.servers[0].address if several else "127.0.0.1")
    return Layout(table.world_size, table.ranks_of(server), devices, len(table.servers), server, address, table)


def from_counts(options: LaunchConfig) -> Layout:
    """The same number of ranks on each server, in the order of the servers.

    Raises:
        UserError: see `lay_out`.
    """
    nodes = options.nodes or 1
    size = options.ranks or nodes * max(len(options.devices), 1)
    local = size // nodes
    if size % nodes:
        raise UserError(
            f"{counted(size, 'rank')} on {counted(nodes, 'server')}; wanted a multiple of {nodes}, or a rank table"
        )
    if options.devices and len(options.devices) != local:
        raise UserError(
            f"{counted(len(options.devices), 'device')} for {counted(local, 'rank')} on this server; wanted one for each"
        )
    if nodes > 1 and (options.node_rank < 0 or not options.master_addr):
        raise UserError(f"{nodes} servers; wanted --node_rank (from 0) and --master_addr (that of server 0) on each")
    rising = sorted(set(options.devices))
    if list(options.devices) != rising and options.device_target in ASCENDING_ON:
        raise UserError(
            f"devices is {','.join(map(str, options.devices))}; wanted each once and ascending, as Ascend takes no others: "
            f"use {','.join(map(str, rising))}"
        )
    node_rank = max(options.node_rank, 0)
    if node_rank >= nodes:
        raise UserError(f"node_rank is {node_rank} of {counted(nodes, 'server')}; wanted 0 to {nodes - 1}, and --nodes")
    ranks = tuple(range(node_rank * local, (node_rank + 1) * local))
    return Layout(
        size, ranks, options.devices or tuple(range(local)), nodes, node_rank, options.master_addr or "127.0.0.1"
    )
