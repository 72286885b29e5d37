"""Rank tables for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def server(address: str, first_rank: int = 0, count: int = 2, network: int = 0) -> dict[str, Any]:
    """The object of one server, as the tools of the original zoo write it."""
    devices = [
        {"device_id": str(n), "device_ip": f"192.168.{network}.{n + 1}", "rank_id": str(first_rank + n)}
        for n in range(count)
    ]
    return {"server_id": address, "device": devices, "host_nic_ip": "reserve"}


def table(*addresses: str, count: int = 2) -> dict[str, Any]:
    """The table of servers with `count` devices each."""
    servers = [server(address, n * count, count, n) for n, address in enumerate(addresses)]
    return {"version": "1.0", "server_count": str(len(servers)), "server_list": servers, "status": "completed"}


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
