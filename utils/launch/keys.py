"""The flags of `mindzoo launch`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

MOST_RANKS = 65_536
WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class CommandKeys:
    """The command"""

    words: tuple[str, ...] = key(
        (), "train, finetune, eval, predict or embed; behind a -- the flags of that command", positional=True
    )


@dataclass(frozen=True)
class RanksKeys:
    """Ranks, devices and servers"""

    ranks: int = key(
        0,
        "ranks on all servers; 0: those of the rank table, else one per device given, else 1",
        minimum=0,
        maximum=MOST_RANKS,
    )
    rank_table: str = key(
        "",
        "rank table (JSON) that lists servers and devices, or the folder it is in; it is checked before anything starts",
    )
    devices: tuple[int, ...] = key(
        (),
        "devices of this server to use, such as 4,5,6,7, ascending; by default from 0 on, or those of the rank table",
        minimum=0,
        maximum=MOST_RANKS,
    )
    device_target: str = key("", "handed on to the command; by default the command chooses")
    nodes: int = key(0, "number of servers; 0: those of the rank table, else 1", minimum=0, maximum=MOST_RANKS)
    node_rank: int = key(
        -1, "number of this server, from 0; -1: found in the rank table by address, else 0", minimum=-1
    )
    master_addr: str = key("", "address of server 0; by default that of the rank table, else 127.0.0.1")
    master_port: int = key(
        0,
        "port on server 0; 0: a free one, or with several servers 8118, which must be free there",
        minimum=0,
        maximum=65535,
    )
    cluster_timeout: int = key(
        0,
        "seconds until all ranks must have found each other; 0: 120 on one server, 600 on several",
        minimum=0,
        maximum=WEEK,
    )
    bind_core: bool = key(False, "give each rank of this server an equal share of its cores")


@dataclass(frozen=True)
class FolderKeys:
    """Folders and logs, in the current folder; {rank} is replaced by the rank"""

    rank_folder: str = key(
        "",
        "folder that a rank works in; by default train_parallel{rank}, finetune_parallel{rank} or eval_parallel{rank}; `.` for the current one; of predict and embed it holds the log alone",
    )
    log_name: str = key("log", "file in that folder with what the rank prints")
    env_name: str = key("env.log", "file in that folder with the rank's environment; empty for none")
    folder_link: str = key("", "another path that leads to the rank's folder")
    log_link: str = key("", "another path that leads to the rank's log")
    rank_line: str = key("", "a line to print for each rank of this server; {device} is replaced too")
    done_line: str = key("", "a line to print when the job has ended well")
    failed_line: str = key("", "a line to print when it has not")
    background: bool = key(
        False,
        "return once the job is started; its exit status is in msrun_log/status, or launch_log/status of one rank alone",
    )


@dataclass(frozen=True)
class LaunchConfig(FolderKeys, RanksKeys, CommandKeys):
    """All flags of a launch"""
