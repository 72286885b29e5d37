"""Rank tables: the JSON file that tells Huawei's collective communication (HCCL) which device is which rank.

`load` reads a table and refuses it with a sentence for each fault; `local_server` finds this machine in it. Nothing
here needs MindSpore, or anything outside of the standard library. The format is that of `hccl_tools`, version 1.0::

    {"version": "1.0", "server_count": "1", "status": "completed", "server_list": [
        {"server_id": "10.0.0.5", "device": [{"device_id": "0", "device_ip": "192.168.100.101", "rank_id": "0"}]}]}

Numbers may be written as numbers or as texts; `device_ip` may be absent from all devices. `server_id` may be any
name where `container_ip`, `host_ip`, `server_ip` or `pod_ip`, as schedulers of clusters write them, gives the address.
Version 1.2 adds `super_pod_list`. The older `group_list` is read too, see `old_table`.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mindzoo.utils.cluster import addresses, old_table, table_faults, table_file
from mindzoo.utils.cluster.table_values import kind, shown, whole
from mindzoo.utils.errors import UserError, shorten

VERSIONS = ("1.0", "1.2")  # 1.2 is that of servers joined to a super pod
MAKE_ONE = "make a table with scripts/hccl_tools.py on each server, and join them with scripts/merge_hccl.py"
ADDRESS_KEYS = ("container_ip", "host_ip", "server_ip", "pod_ip")
MOST_FAULTS = 10  # that are listed of one table
LONGEST_NAME = 255  # of a server, RFC 1035
MOST_DEVICES = 256  # of one server; the largest that we know of have 16
MOST_SERVERS = 20_000
SECONDS_FOR_NAMES = 10.0  # in which servers' names are looked up


@dataclass(frozen=True)
class Device:
    """One device of a server and the rank that computes on it."""

    rank_id: int
    device_id: int
    device_ip: str = ""  # empty where the table gives none


@dataclass(frozen=True)
class Server:
    """One machine: its name, its devices in the order of the file, and where it is reached."""

    server_id: str
    devices: tuple[Device, ...]
    address: str  # server_id, unless the table gives another one


@dataclass(frozen=True)
class RankTable:
    """A table without faults: the rank ids of all servers together are 0 to `world_size` - 1."""

    path: Path
    servers: tuple[Server, ...]
    content: dict[str, Any] = field(default_factory=dict, compare=False)  # as HCCL takes it, with server_list
    converted: bool = False  # the file is of the older form

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return sum(len(server.devices) for server in self.servers)

    @property
    def rank_ids(self) -> tuple[int, ...]:
        """All ranks in ascending order."""
        return tuple(range(self.world_size))

    def devices_of(self, server: int) -> tuple[Device, ...]:
        """The devices of `servers[server]` by ascending rank."""
        return tuple(sorted(self.servers[server].devices, key=lambda device: device.rank_id))

    def ranks_of(self, server: int) -> tuple[int, ...]:
        """The ranks of `servers[server]` in ascending order."""
        return tuple(device.rank_id for device in self.devices_of(server))


def read_table(path: str | Path, wait: float = 0.0) -> RankTable:
    """Read the rank table at `path`, a file or the folder that a platform writes it into.

    Args:
        wait: seconds in which it may be completed.

    Raises:
        UserError: the file cannot be read, is not JSON, or has faults; each is a line with its place in the file.
    """
    return checked(*table_file.read(Path(path), MAKE_ONE, wait))


def checked(path: Path, content: Any) -> RankTable:
    """The rank table at `path`, whose content was read.

    Raises:
        UserError: it has faults.
    """
    plain, servers, faults = _parse(content)
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError(f"the rank table {path} has {count}:", *first_faults(faults))
    return RankTable(path, servers, plain, plain is not content)


def first_faults(faults: Sequence[str]) -> list[str]:
    """Those that are shown, and how many more there are."""
    more = len(faults) - MOST_FAULTS
    return [*faults[:MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])]


def faults_of(content: Any) -> list[str]:
    """The faults of a table, the parsed JSON; each is a sentence that begins with its place in the file."""
    return _parse(content)[2]


def local_server(table: RankTable, node_rank: int | None = None, hccn_conf: Path = addresses.HCCN_CONF) -> int:
    """Which of `table.servers` this machine is.

    `node_rank`, or else the variable SERVER_ID, says so: the number of the server in the table, from 0, or its
    name there. Otherwise it is the server whose address this machine has, or else the one with a device that `hccn_conf`
    lists: a container may have an address of its own. A table of one server that gives no address is this machine's.

    Raises:
        UserError: none of the servers is this machine, or several are.
    """
    if node_rank is not None:
        return _numbered(table, node_rank, f"node_rank is {node_rank}")
    named = os.environ.get("SERVER_ID", "")
    if named.isdecimal():
        return _numbered(table, int(named), f"SERVER_ID is {named}")
    if not named and len(table.servers) == 1 and not addresses.is_ip(table.servers[0].address):
        return 0
    found = _servers_here(table, named, hccn_conf)
    if len(found) == 1:
        return found[0]
    what = (
        f"SERVER_ID is {named}" if named else f"this machine is {' or '.join([socket.gethostname(), *addresses.own()])}"
    )
    listed = shorten(server.address for server in table.servers)
    which = "several servers" if found else "no server"
    raise UserError(
        f"{what}, which is {which} of the rank table {table.path} ({listed}); "
        "say which one it is with SERVER_ID or --node_rank, from 0, or make the table again"
    )


def _servers_here(table: RankTable, named: str, hccn_conf: Path) -> list[int]:
    """The servers of this name; without one those with an address of this machine, or else of one of its devices."""
    servers = list(enumerate(table.servers))
    if named:
        return [number for number, server in servers if named in (server.server_id, server.address)]
    own_devices = set(addresses.read_hccn_conf(hccn_conf).values())
    return _with_own_address(table) or [
        number for number, server in servers if own_devices & {device.device_ip for device in server.devices}
    ]


def _with_own_address(table: RankTable) -> list[int]:
    """Numbers are compared first: to look a name up can take seconds."""
    places = [server.address for server in table.servers]
    found = {number for number, place in enumerate(places) if addresses.is_ip(place) and addresses.is_own(place)}
    until = time.monotonic() + SECONDS_FOR_NAMES
    for number, place in enumerate(places):
        if not addresses.is_ip(place) and time.monotonic() < until and addresses.is_own(place):
            found.add(number)
    return sorted(found)


def _numbered(table: RankTable, number: int, found: str) -> int:
    if 0 <= number < len(table.servers):
        return number
    count = len(table.servers)
    wanted = f"{count} servers; wanted 0 to {count - 1}" if count > 1 else "1 server; wanted 0"
    raise UserError(f"{found}, and the rank table {table.path} has {wanted}")


def _parse(content: Any) -> tuple[dict[str, Any], tuple[Server, ...], list[str]]:
    """A table, the parsed JSON, in the form that HCCL takes, its servers, and its faults; whole only without these."""
    faults: list[str] = []
    if not isinstance(content, dict):
        return {}, (), [f"the file holds {kind(content)}; wanted an object with server_list; {MAKE_ONE}"]
    _check_head(content, faults)
    if faults and not content.keys() & {"server_list", "group_list"}:
        return {}, (), faults
    if "group_list" in content and "server_list" not in content:
        content, reasons = old_table.converted(content)
        if reasons:
            return {}, (), reasons
    if "server_list" not in content:
        return {}, (), [f"server_list is missing; is this another kind of file? {MAKE_ONE}"]
    listed = content["server_list"]
    if isinstance(listed, list) and len(listed) > MOST_SERVERS:
        return {}, (), [f"server_list has {len(listed):,} servers; wanted {MOST_SERVERS:,} at most; {MAKE_ONE}"]
    servers = tuple(_servers(listed, faults))
    return content, servers, faults or table_faults.of_whole(content, servers)


def _check_head(content: dict[str, Any], faults: list[str]) -> None:
    version, status = content.get("version", VERSIONS[0]), content.get("status", "completed")
    if str(version) not in VERSIONS:
        faults.append(f"version is {shown(version)}; wanted {' or '.join(VERSIONS)}; {MAKE_ONE}")
    if status != "completed":
        faults.append(
            f"status is {shown(status)}; wanted completed; whatever writes this file has not finished: "
            "wait for it, or make the table again"
        )


def _servers(listed: Any, faults: list[str]) -> Iterator[Server]:
    for place, server in _items(listed, "server_list", "server", faults):
        name = server.get("server_id")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
            faults.append(f"{place}.server_id is {shown(name)}; wanted the address of the server, such as 10.0.0.5")
            name = ""
        elif "*" in name:
            faults.append(f"{place}.server_id is {shown(name)}, a placeholder; wanted the address of the server")
        devices = tuple(_devices(server.get("device"), f"{place}.device", faults))
        if len(devices) > MOST_DEVICES:
            faults.append(f"{place}.device lists {len(devices)} devices; wanted {MOST_DEVICES} at most; {MAKE_ONE}")
        address = next((server[key] for key in ADDRESS_KEYS if addresses.is_ip(server.get(key))), name)
        yield Server(name.strip(), devices, address.strip())


def _devices(listed: Any, place: str, faults: list[str]) -> Iterator[Device]:
    for where, device in _items(listed, place, "device", faults):
        rank_id, device_id = (_number(device, name, where, faults) for name in ("rank_id", "device_id"))
        address = device.get("device_ip") or ""
        if address and not addresses.is_ip(address):
            faults.append(
                f"{where}.device_ip is {shown(address)}, which is no IP address; "
                f"wanted the one that hccn_tool -i {device_id} -ip -g prints"
            )
        yield Device(rank_id, device_id, str(address))


def _items(listed: Any, place: str, what: str, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a list with its place in the file."""
    if not isinstance(listed, list) or not listed:
        found = "empty" if listed == [] else shown(listed) if listed is None else kind(listed)
        faults.append(f"{place} is {found}; wanted a list with an object for each {what}; {MAKE_ONE}")
        return
    for number, item in enumerate(listed):
        if isinstance(item, dict):
            yield f"{place}[{number}]", item
        else:
            faults.append(f"{place}[{number}] is {kind(item)}; wanted the object of a {what}; {MAKE_ONE}")


def _number(device: dict[str, Any], name: str, place: str, faults: list[str]) -> int:
    value = whole(device.get(name))
    if value is None:
        faults.append(f"{place}.{name} is {shown(device.get(name))}; wanted a whole number from 0")
        return -1
    return value
