"""The flags of `mindzoo doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.cluster import ports
from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class DoctorConfig:
    """What to check"""

    devices: int = key(0, "Ascend devices that this machine must have; 0: any number, or none", minimum=0)
    port: int = key(
        0,
        f"port at which ranks are to meet on server 0; 0: {ports.SHARED_PORT}, which a job on one server can do without",
        minimum=0,
        maximum=65535,
    )
    folder: str = key(".", "folder that a job is to write to")
    free_gb: float = key(5.0, "space that must be free there, in GB (10^9 bytes)", minimum=0)
    rank_table: str = key("", "rank table to check; not given: the one that RANK_TABLE_FILE names, if any")
    node_rank: int = key(
        -1, "number of this server in the rank table, from 0; -1: found by SERVER_ID or by address", minimum=-1
    )
