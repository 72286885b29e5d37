"""What is wrong with a rank table as a whole: its counts, addresses, devices, ranks and super pods.

Each fault is a sentence that begins with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mindzoo.utils.cluster import addresses
from mindzoo.utils.cluster.table_values import shown, whole
from mindzoo.utils.errors import shorten

if TYPE_CHECKING:
    from mindzoo.utils.cluster.rank_table import Device, Server


def of_whole(content: dict[str, Any], servers: tuple[Server, ...]) -> list[str]:
    """The faults of a table whose `servers` were read without one."""
    faults = [*_count_faults(content, servers), *_address_faults(servers), *_rank_faults(servers)]
    return faults or [*_order_faults(servers), *_pod_faults(content)]


def _count_faults(content: dict[str, Any], servers: tuple[Server, ...]) -> Iterator[str]:
    if "server_count" in content and whole(content["server_count"]) != len(servers):
        yield (
            f"server_count is {shown(content['server_count'])}, and server_list has {len(servers)}; "
            "wanted the same number: add the servers that are missing, or correct server_count"
        )


def _address_faults(servers: tuple[Server, ...]) -> Iterator[str]:
    by_id: dict[str, int] = {}
    for number, server in enumerate(servers):
        first = by_id.setdefault(server.server_id, number)
        if first != number:
            yield (
                f"server_list[{number}].server_id is {server.server_id}, as server_list[{first}].server_id is; wanted each "
                "server once: give each its own address, or list its devices together"
            )
        elif len(servers) > 1 and addresses.is_loopback(server.address):
            yield (
                f"server_list[{number}].server_id is {server.address}, which the other servers cannot reach; "
                "wanted its address in the network: run scripts/hccl_tools.py --server_ip there"
            )
    yield from _device_faults(servers)


def _device_faults(servers: tuple[Server, ...]) -> Iterator[str]:
    by_ip: dict[str, str] = {}
    some_have_one = any(device.device_ip for _, _, device in _places(servers))
    by_id: dict[tuple[int, int], str] = {}
    for place, server, device in _places(servers):
        first = by_id.setdefault((server, device.device_id), place)
        if first != place:
            yield (
                f"{place}.device_id is {device.device_id}, as {first}.device_id is; wanted each device of a server once"
            )
        if not device.device_ip and some_have_one:
            yield f"{place}.device_ip is missing, and others have one; wanted it for all devices or for none"
        first = by_ip.setdefault(device.device_ip, place)
        if device.device_ip and first != place:
            yield (
                f"{place}.device_ip is {device.device_ip}, as {first}.device_ip is; wanted an address of its own for each "
                "device: set it with hccn_tool on that server, and make the table again"
            )


def _rank_faults(servers: tuple[Server, ...]) -> Iterator[str]:
    size = sum(len(server.devices) for server in servers)
    by_rank: dict[int, str] = {}
    for place, _, device in _places(servers):
        first = by_rank.setdefault(device.rank_id, place)
        if first != place:
            found = f"as {first}.rank_id is"
        elif device.rank_id >= size:
            found = f"and the table lists {size} devices"
        else:
            continue
        yield (
            f"{place}.rank_id is {device.rank_id}, {found}; wanted each of 0 to {size - 1} once: "
            "number the ranks through all servers, as scripts/merge_hccl.py does"
        )


def _order_faults(servers: tuple[Server, ...]) -> Iterator[str]:
    for number, server in enumerate(servers):
        ranks = sorted(device.rank_id for device in server.devices)
        if ranks[-1] - ranks[0] >= len(ranks):
            yield (
                f"server_list[{number}] has the ranks {shorten(map(str, ranks))}, and others have those between; HCCL "
                "wants the ranks of a server to follow each other: number them again, as scripts/merge_hccl.py does"
            )
            return  # it takes two to interleave


def _pod_faults(content: dict[str, Any]) -> Iterator[str]:
    """Of the super pods that version 1.2 may list: each server is in one, with numbers of its devices there."""
    if "super_pod_list" not in content:
        return
    pods = content["super_pod_list"]
    if not isinstance(pods, list) or not all(map(_is_pod, pods)):
        yield "super_pod_list is of another form; wanted a list of objects with super_pod_id, and server_list of server_id"
        return
    by_name = {server["server_id"]: number for number, server in enumerate(content["server_list"])}
    pod_of: dict[str, int] = {}
    for number, name in ((n, server["server_id"]) for n, pod in enumerate(pods) for server in pod["server_list"]):
        if name not in by_name:
            yield f"super_pod_list[{number}] names the server {name}, which server_list lacks; wanted its servers only"
        elif name in pod_of:
            yield f"super_pod_list[{number}] names the server {name} again; wanted each server in one super pod"
        pod_of[name] = number
    alone = [name for name in by_name if name not in pod_of]
    if alone:
        yield f"super_pod_list lacks the server {shorten(alone)}; wanted each server in one super pod"
    seen: dict[tuple[int, int], str] = {}
    for name, server in by_name.items():
        for index, device in enumerate(content["server_list"][server]["device"]):
            place, value = f"server_list[{server}].device[{index}].super_device_id", device.get("super_device_id")
            found = whole(value)
            if found is None:
                yield f"{place} is {shown(value)}; wanted the whole number that the device has in its super pod"
            elif seen.setdefault((pod_of.get(name, -1), found), place) != place:
                yield f"{place} is {found}, as {seen[pod_of.get(name, -1), found]} is; wanted one of its own in the pod"


def _is_pod(pod: Any) -> bool:
    if not isinstance(pod, dict) or not isinstance(pod.get("super_pod_id"), (str, int)):
        return False
    servers = pod.get("server_list")
    return isinstance(servers, list) and all(
        isinstance(server, dict) and isinstance(server.get("server_id"), str) for server in servers
    )


def _places(servers: tuple[Server, ...]) -> Iterator[tuple[str, int, Device]]:
    """Each device with its place in the file and the number of its server."""
    for number, server in enumerate(servers):
        for index, device in enumerate(server.devices):
            yield f"server_list[{number}].device[{index}]", number, device
