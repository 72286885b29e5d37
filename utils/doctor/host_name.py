"""The check of this server's name: MindSpore tells servers apart by it when it numbers the ranks of each."""

from __future__ import annotations

import re
import socket

from mindzoo.utils.doctor.finding import Finding, ok, warning

# Names that many servers have because nobody gave them one.
USUAL = re.compile(
    r"|localhost(\..*)?|\(none\)|ubuntu|debian|openeuler|euleros|kylin|centos|server|node", re.IGNORECASE
)


def check_host_name(servers: int, name: str | None = None) -> Finding:
    """This server has a name of its own, where a job runs over several; `name` None: ask the system."""
    found = socket.gethostname() if name is None else name
    if servers < 2:
        return ok("host name", f"{found}; with one server any will do")
    if USUAL.fullmatch(found):
        return warning(
            "host name",
            f"{found or 'empty'}, which other servers may have too: ranks of servers of one name are numbered as if on one, and "
            "get wrong devices; give each its own (hostnamectl set-hostname)",
        )
    return ok("host name", f"{found}; each of the {servers} servers must have its own")
