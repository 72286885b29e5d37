"""The addresses of this machine and of its devices, and what kind an address is; by the standard library alone."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError, shorten

HCCN_CONF = Path("/etc/hccn.conf")
HCCN_TOOL_SECONDS = 30


def is_own(host: str) -> bool:
    """Whether this machine has the address `host`, a number or a name: only its own can be bound."""
    try:
        resolved = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in resolved)


def own() -> list[str]:
    """The addresses that the name of this machine stands for; empty where it stands for none."""
    try:
        resolved = socket.getaddrinfo(socket.gethostname(), 0, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in resolved))


def of_devices(physical: Sequence[int], hccn_conf: Path = HCCN_CONF) -> dict[int, str]:
    """The address of each device by hccn_tool; where that fails for one of them, of all by `hccn_conf`.

    Raises:
        UserError: neither knows all of them.
    """
    try:
        return {device: _ask_hccn_tool(device) for device in physical}
    except LookupError as error:
        reason = str(error.args[0])
    listed = read_hccn_conf(hccn_conf)
    unknown = [str(device) for device in physical if device not in listed]
    if unknown:
        what = f"has no address_{unknown[0]}" if hccn_conf.is_file() else "is not there or cannot be read"
        raise UserError(
            f"no address is known of device {shorten(unknown)}: {reason}, and {hccn_conf} {what}; "
            "run this on the server itself, as root, with Ascend's driver installed"
        )
    return {device: listed[device] for device in physical}


def read_hccn_conf(path: Path = HCCN_CONF) -> dict[int, str]:
    """The addresses of devices in the lines `address_DEVICE=IP` of `path`; empty where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = re.findall(r"^[ \t]*address_(\d+)[ \t]*=[ \t]*(\S+)", text, flags=re.MULTILINE)
    return {int(device): address for device, address in lines if is_ip(address)}


def is_ip(value: Any) -> bool:
    """Whether `value` is the text of an IPv4 or IPv6 address."""
    # By itself `ipaddress` takes anything of any length behind the % of an IPv6 address.
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f:.]{1,45}(%[\w.-]{1,15})?", value, re.ASCII):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host` is an address that other machines cannot reach."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _ask_hccn_tool(device: int) -> str:
    """What follows the first colon of the first line that hccn_tool prints; LookupError says why it is no address."""
    tool = shutil.which("hccn_tool")
    if tool is None:
        raise LookupError("hccn_tool is not in PATH")
    command = [tool, "-i", str(device), "-ip", "-g"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HCCN_TOOL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"hccn_tool failed ({error})") from None
    first = next(iter(done.stdout.splitlines()), "")
    address = first.partition(":")[2].strip()
    if not is_ip(address):
        raise LookupError(f"hccn_tool -i {device} -ip -g says {first.strip() or 'nothing'}")
    return address


def _can_bind(family: int, address: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True
