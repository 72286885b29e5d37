"""The flags of `mindzoo rank-table`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.cluster import addresses
from mindzoo.utils.config.reading import key
from mindzoo.utils.launch.keys import WEEK


@dataclass(frozen=True)
class ActionKeys:
    """What to do"""

    words: tuple[str, ...] = key(
        (), "check TABLE; merge TABLE TABLE ...; make, the table of this server", positional=True
    )


@dataclass(frozen=True)
class CheckKeys:
    """check"""

    node_rank: int = key(
        -1, "number of this server in the rank table, from 0; -1: found by SERVER_ID or by address", minimum=-1
    )
    wait: float = key(0.0, "seconds in which the table may be completed", minimum=0, maximum=WEEK)


@dataclass(frozen=True)
class MakeKeys:
    """make: the flags of scripts/hccl_tools.py"""

    device_num: str = key("[0,8)", "logical devices from, and up to but without, of at most 16")
    visible_devices: str = key(
        "", "physical device of each logical one, from logical device 0; not given: the same numbers"
    )
    server_ip: str = key("", "address of this server; not given: that of its host name")
    hccn_conf: str = key(str(addresses.HCCN_CONF), "addresses of the devices")


@dataclass(frozen=True)
class RankTableConfig(MakeKeys, CheckKeys, ActionKeys):
    """All flags of rank-table"""
