"""The address and the port at which the ranks meet."""

from __future__ import annotations

import socket

from mindzoo.utils.cluster import addresses
from mindzoo.utils.errors import UserError

# msrun's own default.
SHARED_PORT = 8118


def choose_port(address: str, wanted: int, *, nodes: int, node_rank: int) -> int:
    """The port: `wanted`, or one that is free; with several servers a fixed one, since all of them must know it.

    Raises:
        UserError: on server 0 the address is not its own, or the port is taken; on another one the address is its own.
    """
    if nodes > 1 and addresses.is_loopback(address):
        raise UserError(f"master_addr is {address}, which other servers cannot reach; wanted server 0's address")
    is_own = addresses.is_own(address)
    if node_rank > 0 and is_own:
        raise UserError(
            f"master_addr {address} is an address of this server, and node_rank is {node_rank}; wanted server 0's "
            "address, and --node_rank 0 there"
        )
    if node_rank == 0 and not is_own:
        raise UserError(f"master_addr {address} is no address of this server, which is server 0; wanted one of its own")
    port = wanted or (SHARED_PORT if nodes > 1 else 0)
    return port if node_rank > 0 else bind(address, port)


def bind(address: str, port: int) -> int:
    """The number of a port of this machine that can be listened at; 0 finds a free one.

    Raises:
        UserError: it is taken.
    """
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # What a job that just ended leaves behind does not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            raise UserError(
                f"port {port} on {address} cannot be used: {error.strerror}; choose another with --master_port"
            ) from None
        return int(probe.getsockname()[1])
