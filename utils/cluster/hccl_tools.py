"""Writes rank tables: `hccl_tools` that of one server, `merge_hccl` that of several from theirs.

Flags, file names, content and printed lines are those of the tools of the original zoo, so that other programs go on
reading them. The address of a device is what hccn_tool prints for it, or else what /etc/hccn.conf says.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from mindzoo.utils import errors
from mindzoo.utils.cluster import addresses, rank_table, table_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import exit_status
from mindzoo.utils.files import write_text

USUAL_DEVICES, MOST_DEVICES = 8, 16  # of one server


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What is refused, in a line that a terminal shows as it is."""
        super().error(str(UserError(message)))


def hccl_tools(argv: Sequence[str] | None = None) -> int:
    """Write the rank table of this server into the current folder; returns the exit status."""
    parser = _Parser(description="Write the rank table of this server into the current folder.")
    parser.add_argument(
        "--device_num", default="[0,8)", help="logical devices from, and up to but without, of at most 16 (%(default)s)"
    )
    parser.add_argument(
        "--visible_devices",
        default="",
        help="physical device of each logical one, from logical device 0; not given: the same numbers",
    )
    parser.add_argument("--server_ip", default="", help="address of this server; not given: that of its host name")
    parser.add_argument(
        "--hccn_conf", type=Path, default=addresses.HCCN_CONF, help="addresses of the devices (%(default)s)"
    )
    options = parser.parse_args(argv)

    return exit_status(
        lambda: write_own(options.device_num, options.visible_devices, options.server_ip, options.hccn_conf)
    )


def merge_hccl(argv: Sequence[str] | None = None) -> int:
    """Write the rank table of several servers into the current folder; returns the exit status."""
    parser = _Parser(
        description="Join rank tables of servers into one, in the order in which they are given, in the current folder."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a table that hccl_tools.py wrote")
    options = parser.parse_args(argv)

    return exit_status(lambda: write_merged(options.files))


def write_own(device_num: str, visible_devices: str, server_ip: str, hccn_conf: Path) -> None:
    """Write the rank table of this server into the current folder; the arguments are the flags of `hccl_tools`.

    Raises:
        UserError: see `parse_range`, `parse_visible`, `choose`, `server_address` and `addresses.of_devices`.
    """
    logical = parse_range(device_num)
    visible = parse_visible(visible_devices) or list(range(max(logical.stop, USUAL_DEVICES)))
    physical = choose(logical, visible)
    address = server_address(server_ip)
    _say(f"start {sys.argv[0]}")
    _say(f"visible_devices:{list(map(str, visible))}")
    _say(f"server_id:{address}")
    _say(f"device_num_list: {list(logical)}")
    for note in notes(address, physical):
        sys.stderr.write(f"note: {note}\n")
    table = make(address, physical, addresses.of_devices(physical, hccn_conf))
    for device in table["server_list"][0]["device"]:
        _say(", ".join(f"{key}:{device[key]}" for key in ("rank_id", "device_id", "device_ip")))
    _write(table, f"hccl_{len(logical)}p_{''.join(map(str, logical))}_{address}.json")


def write_merged(files: Sequence[Path]) -> None:
    """Write the rank table of several servers into the current folder.

    Raises:
        UserError: see `merge`.
    """
    table = merge(files)
    ranks = sum(len(server["device"]) for server in table["server_list"])
    _write(table, f"hccl_{table['server_count']}s_{ranks}p.json")


def parse_range(text: str) -> range:
    """The logical devices of "[0,8)": 0 to 7.

    Raises:
        UserError: another form, an empty range, or one that leaves 0 to 15.
    """
    found = re.fullmatch(r"\s*\[\s*(-?\d+)\s*,\s*(-?\d+)\s*\)\s*", text)
    if not found:
        raise UserError(f'device_num is {text}; wanted a range of devices such as "[0,8)", in quotes')
    first, end = map(int, found.groups())
    if not 0 <= first < end <= MOST_DEVICES:
        raise UserError(f'device_num is {text}; wanted "[FIRST,END)" with 0 <= FIRST < END <= {MOST_DEVICES}')
    return range(first, end)


def parse_visible(text: str) -> list[int]:
    """The physical devices of "4,5,6,7"; none of the empty text.

    Raises:
        UserError: a part that is no number, or that stands there twice.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise UserError(f"visible_devices is {text}; wanted numbers of devices such as 4,5,6,7")
    if len(set(map(int, parts))) < len(parts):
        raise UserError(f"visible_devices is {text}; wanted each device once")
    return [int(part) for part in parts]


def choose(logical: range, visible: Sequence[int]) -> list[int]:
    """The physical devices of logical ones.

    Raises:
        UserError: `visible` has too few.
    """
    if len(visible) < logical.stop:
        raise UserError(
            f"device_num asks for device {logical.stop - 1} of those in visible_devices, counted from 0, "
            f"and these are {len(visible)}; name more in visible_devices, or fewer in device_num"
        )
    return [visible[number] for number in logical]


def notes(address: str, physical: Sequence[int]) -> list[str]:
    """What is no error, and yet may be one on this server or with others."""
    found = []
    if addresses.is_loopback(address):
        found.append(f"{address} is for this server alone; with other servers give its own address with --server_ip")
    if min(physical) < 4 <= max(physical) < USUAL_DEVICES and len(physical) < USUAL_DEVICES:
        found.append(
            "the first Ascend 910 joins devices 0 to 3, and 4 to 7; a job with some of both may be refused there"
        )
    return found


def server_address(given: str = "") -> str:
    """The address of this server: `given`, or that of its host name.

    Raises:
        UserError: `given` is no address, or the host name has none.
    """
    if given:
        if not addresses.is_ip(given):
            raise UserError(f"server_ip is {given}; wanted an IP address such as 10.0.0.5")
        return given
    name = socket.gethostname()
    try:
        return socket.gethostbyname(name)
    except OSError:
        raise UserError(f"the host name {name} has no address; say the server's own with --server_ip") from None


def make(address: str, devices: Sequence[int], device_ips: dict[int, str]) -> dict[str, Any]:
    """The rank table of one server: rank 0 is on the first of `devices`, the physical ones."""
    listed = [
        {"device_id": str(device), "device_ip": device_ips[device], "rank_id": str(rank)}
        for rank, device in enumerate(devices)
    ]
    return _table([{"server_id": address, "device": listed, "host_nic_ip": "reserve"}])


def merge(files: Sequence[Path]) -> dict[str, Any]:
    """The rank table of the servers of `files`, in this order, with the ranks numbered through.

    Raises:
        UserError: a file that has faults, files of different versions, or that have a server or the address of a device
            in common.
    """
    tables = [rank_table.checked(*table_file.read(path, rank_table.MAKE_ONE)).content for path in files]
    servers = [server for table in tables for server in table["server_list"]]
    for rank, device in enumerate(device for server in servers for device in server["device"]):
        device["rank_id"] = str(rank)
    table = {**_table(servers), **_joined_pods(files, tables)}
    faults = rank_table.faults_of(table)
    if faults:
        names = ", ".join(map(str, files))
        raise UserError(f"the table of {names} together would have faults:", *rank_table.first_faults(faults))
    return table


def _joined_pods(files: Sequence[Path], tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Version and super pods of the tables together; a super pod that several of them name is one.

    Raises:
        UserError: some have what others lack.
    """
    kinds = [(str(table.get("version", "1.0")), "super_pod_list" in table) for table in tables]
    for path, kind in zip(files, kinds, strict=True):
        if kind != kinds[0]:
            words = [
                f"version {version} {'with' if pods else 'without'} super_pod_list"
                for version, pods in (kinds[0], kind)
            ]
            raise UserError(
                f"{files[0]} is of {words[0]}, {path} of {words[1]}; wanted tables of one kind: make one of them again"
            )
    version, with_pods = kinds[0]
    pods: dict[str, list[Any]] = {}
    for pod in (pod for table in tables if with_pods for pod in table["super_pod_list"]):
        pods.setdefault(str(pod["super_pod_id"]), []).extend(pod["server_list"])
    listed = [{"super_pod_id": name, "server_list": servers} for name, servers in pods.items()]
    return {"version": version, **({"super_pod_list": listed} if with_pods else {})}


def _table(servers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": "1.0", "server_count": str(len(servers)), "server_list": servers, "status": "completed"}


def _write(table: dict[str, Any], name: str) -> None:
    path = Path.cwd() / name
    write_text(path, json.dumps(table, indent=4))  # with the indentation of the original tool
    _say(f"Completed: hccl file was save in : {path}")


def _say(line: str) -> None:
    sys.stdout.write(f"{errors.visible(line)}\n")
