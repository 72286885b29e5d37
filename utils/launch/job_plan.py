"""What is to be started on this server: made and checked by the launcher, read by supervisor and ranks."""

from __future__ import annotations

import dataclasses
import json
import signal
from dataclasses import dataclass, field
from pathlib import Path

from mindzoo.utils.files import write_json, write_text

FILE = "plan.json"
# 128 + SIGINT and SIGTERM: the rank stopped as it was asked to, with a checkpoint.
STOPPED = (130, 143)
KILLED = 128 + signal.SIGKILL
# A signal stopped the process, and nobody continued it.
HALTED = 128 + signal.SIGSTOP


@dataclass(frozen=True)
class RankPlan:
    """One rank of this server."""

    rank: int
    folder: str  # absolute
    log: str  # absolute
    env: str  # absolute, or empty


@dataclass(frozen=True)
class JobPlan:
    """A job on this server. All paths are absolute."""

    entry: str  # train.py or eval.py of the network, or the script of mindzoo itself
    flags: list[str]  # for it
    size: int  # ranks on all servers
    ranks: list[RankPlan]  # of this server
    log_dir: str  # of msrun, of the supervisor, and for what the ranks tell it
    nodes: int = 1
    node_rank: int = 0
    master_addr: str = "127.0.0.1"
    master_port: int = 0
    rank_table: str = ""
    cluster_timeout: int = 120
    bind_core: bool = False
    follow: bool = True  # show the log of this server's first rank
    done_line: str = ""  # what to say at the end
    failed_line: str = ""
    work_in: str = ""  # where all ranks work, absolute; "": each in its own folder
    environment: dict[str, str] = field(default_factory=dict)  # added to that of the ranks

    @property
    def alone(self) -> bool:
        """One rank needs no launcher and joins nobody."""
        return self.size == 1

    @property
    def path(self) -> Path:
        return Path(self.log_dir) / FILE

    def tell(self, rank: int | None, kind: str, value: int) -> None:
        """Leave the supervisor the `pid` of a rank, or of the scheduler (None), or how it ended, its `status`."""
        write_text(self._told(rank, kind), str(value))

    def told(self, rank: int | None, kind: str) -> int | None:
        """What the rank, or the scheduler, told."""
        path = self._told(rank, kind)
        return int(path.read_text()) if path.exists() else None

    def told_at(self, rank: int | None, kind: str) -> float:
        """When it told that, in seconds."""
        return self._told(rank, kind).stat().st_mtime

    def _told(self, rank: int | None, kind: str) -> Path:
        return Path(self.log_dir) / f"{'scheduler' if rank is None else f'rank_{rank}'}.{kind}"

    def write(self) -> None:
        write_json(self.path, dataclasses.asdict(self))


def read_plan(path: Path) -> JobPlan:
    """The plan in a file that `Plan.write` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return JobPlan(**{**content, "ranks": [RankPlan(**rank) for rank in content["ranks"]]})
