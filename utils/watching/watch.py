"""Shows runs while they go on, until it is interrupted."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.cluster import addresses
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.log import logger
from mindzoo.utils.watching.keys import WatchConfig
from mindzoo.utils.watching.runs import WatchedRuns, identity_of
from mindzoo.utils.watching.server import Server

OPEN = (
    "warning: %s can be reached from other machines: whoever reads along in the network, which is plain HTTP, or gets this "
    "address, sees the runs with their pictures, file names, paths and commands; ssh -L is the road that keeps them here"
)


def run(config: WatchConfig) -> None:
    """Serve until a signal ends it. The address is the first line that is printed.

    Raises:
        UserError: a folder is missing, or the address cannot be used.
    """
    with opened(config) as server:
        logger.info(address(server))
        if not addresses.is_loopback(config.host):
            logger.warning(OPEN, config.host)
        logger.info("%s below it; Ctrl-C ends this", counted(len(server.runs.look()), "run"))
        server.serve_forever()


def opened(config: WatchConfig) -> Server:
    """The server, which listens but does not answer yet.

    Raises:
        UserError: see `run`.
    """
    if not config.folders:
        raise UserError("no folder is given; wanted that of a run, or one with runs below it: mindzoo watch RUN")
    for folder in map(Path, config.folders):
        if not folder.is_dir():
            found = "is not a folder" if folder.exists() else "is missing"
            raise UserError(f"{folder} {found}; wanted the folder of a run, or one with runs below it")
    return Server(WatchedRuns([Path(folder) for folder in config.folders]), config.host, config.port)


def address(server: Server) -> str:
    """Where to look: at the run where one alone is watched, else at the list."""
    found = server.runs.look()
    (top, *others) = server.runs.tops
    alone = not others and [*found] == [identity_of(top)]
    return f"{server.url}run/{identity_of(top)}" if alone else server.url
