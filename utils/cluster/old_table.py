"""Rank tables of the form that is older than 1.0, `group_list`, as ModelArts and early MindSpore write them.

There are two kinds. In one each device is an instance, with its `rank_id`. In the other an instance is a pod with several
devices and without ranks; they are numbered through the pods, by the number at the end of a pod's name, as ModelArts'
own conversion does. HCCL documents both as templates that are kept for what exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mindzoo.utils.cluster.table_values import kind, shown, whole

WANTED = "wanted what the platform writes, or a table with server_list"


def converted(content: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The same table with `server_list`, version 1.0, and the faults that keep it from being made."""
    faults: list[str] = []
    instances = list(_instances(content["group_list"], faults))
    if not faults:
        instances, faults = _numbered(instances)
    if faults:
        return {}, faults
    servers: dict[str, list[dict[str, Any]]] = {}
    for instance in instances:
        servers.setdefault(instance["server_id"], []).extend(instance["devices"])
    listed = [{"server_id": name, "device": devices} for name, devices in servers.items()]
    status = content.get("status", "completed")
    return {"version": "1.0", "server_count": str(len(listed)), "server_list": listed, "status": status}, []


def _instances(groups: Any, faults: list[str]) -> Iterator[dict[str, Any]]:
    """Those of the one group that has some; a platform may write empty ones beside it."""
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        faults.append(f"group_list is {kind(groups)}; wanted a list of objects; {WANTED}")
        return
    filled = [number for number, group in enumerate(groups) if group.get("instance_list")]
    if len(filled) != 1:
        faults.append(f"group_list has {len(filled) or 'no'} groups with an instance_list; wanted one; {WANTED}")
        return
    group, place = groups[filled[0]], f"group_list[{filled[0]}]"
    listed = group["instance_list"]
    if not isinstance(listed, list):
        faults.append(f"{place}.instance_list is {kind(listed)}; wanted a list; {WANTED}")
        return
    if "instance_count" in group and whole(group["instance_count"]) != len(listed):
        faults.append(
            f"{place}.instance_count is {shown(group['instance_count'])}, and instance_list has {len(listed)}; wanted "
            "the same number: add what is missing, or correct the count"
        )
    for number, instance in enumerate(listed):
        where = f"{place}.instance_list[{number}]"
        devices = instance.get("devices") if isinstance(instance, dict) else None
        if not isinstance(devices, list) or not devices or not all(isinstance(device, dict) for device in devices):
            faults.append(f"{where}.devices is no list of objects; wanted one for each device; {WANTED}")
        elif not isinstance(instance.get("server_id"), str):
            faults.append(f"{where}.server_id is {shown(instance.get('server_id'))}; wanted the address of the server")
        else:
            yield instance


def _numbered(instances: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The instances in the order of their ranks, each device with its rank."""
    with_rank = ["rank_id" in instance for instance in instances]
    if any(with_rank) and not all(with_rank):
        return [], [f"instance_list has instances with rank_id and without; wanted it for all or for none; {WANTED}"]
    if all(with_rank):
        several = [number for number, instance in enumerate(instances) if len(instance["devices"]) > 1]
        if several:
            return [], [f"instance_list[{several[0]}] has one rank_id for several devices; wanted one device; {WANTED}"]
        ranks = [instance["rank_id"] for instance in instances]
    else:
        instances = sorted(instances, key=_number_of_pod)
        ranks = [str(rank) for rank in range(sum(len(instance["devices"]) for instance in instances))]
    rank_of = iter(ranks)
    return [
        {**instance, "devices": [{**device, "rank_id": next(rank_of)} for device in instance["devices"]]}
        for instance in instances
    ], []


def _number_of_pod(instance: dict[str, Any]) -> int:
    """15 for job94dc-train-15; instances without such a name stay as they are listed."""
    found = re.search(r"-([0-9]{1,9})$", str(instance.get("pod_name", "")))
    return int(found[1]) if found else 0
