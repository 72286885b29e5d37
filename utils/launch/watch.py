"""What the processes of a job on one server are seen to do: they begin, stand still, end; and which of them failed first.

The ranks and the scheduler of msrun are told apart by number; the scheduler's is None.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from mindzoo.utils.launch import processes, report
from mindzoo.utils.launch.job_plan import HALTED, KILLED, STOPPED, JobPlan

# So long a process may stand still that a signal has stopped. MindSpore itself gives it up after 30 s, and then ends
# those that waited for it.
HALT_SECONDS = 15.0


@dataclass(frozen=True)
class Cause:
    """The process that failed first, and its status."""

    process: str
    status: int
    logs: tuple[Path, ...]
    rank: int | None = None  # where it is one


@dataclass
class Watch:
    """The ranks of this server and the scheduler, as `look` found them."""

    plan: JobPlan
    pids: dict[int | None, int] = field(default_factory=dict)  # of those that began
    ended: dict[int | None, int] = field(default_factory=dict)  # status of those that ended, in the order of their end
    halted: dict[int | None, float] = field(default_factory=dict)  # since when a signal has stopped them

    @property
    def ranks(self) -> dict[int, int]:
        """Status of the ranks that ended."""
        return {rank: status for rank, status in self.ended.items() if rank is not None}

    @property
    def begun(self) -> bool:
        """Whether all ranks have."""
        return all(own.rank in self.pids for own in self.plan.ranks)

    @property
    def rank_pids(self) -> list[int]:
        """Of the ranks that began."""
        return [pid for rank, pid in self.pids.items() if rank is not None]

    @property
    def living(self) -> list[int]:
        """Of the ranks that have not said that they are done."""
        return [pid for rank, pid in self.pids.items() if rank is not None and rank not in self.ended]

    def look(self) -> None:
        """Notice what began, stands still or ended since the last time."""
        gone = []
        for number in (*(own.rank for own in self.plan.ranks), None):
            pid = self.pids.get(number) or self.plan.told(number, "pid")
            if number in self.ended or pid is None:
                continue
            self.pids[number] = pid
            state = processes.state(pid)
            status = self.plan.told(number, "status")
            self._note_halt(number, pid, halted=state == processes.HALTED)
            if status is not None or state in processes.GONE:
                # Who left without a word was the first: its peers need a moment to miss it, and to say so.
                gone.append((0.0 if status is None else self.plan.told_at(number, "status"), number, status))
        for _, number, status in sorted(gone, key=lambda one: one[0]):
            self.ended[number] = KILLED if status is None else status

    def are_done(self) -> bool:
        """Whether all ranks that began have ended or said that they are done, as of now."""
        self.look()
        return not self.living

    def _note_halt(self, number: int | None, pid: int, *, halted: bool) -> None:
        if not halted or self.plan.alone:  # one rank alone makes nobody wait
            self.halted.pop(number, None)
        elif number not in self.halted:
            self.halted[number] = time.monotonic()
            report.say(
                f"{self._cause(number, HALTED).process} stands still, a signal has stopped it: kill -CONT {pid} within "
                f"{HALT_SECONDS:.0f} s lets it go on, else the job ends"
            )

    def failed(self) -> Cause | None:
        """The process that failed first. One that stands still fails its peers, or has stood for too long.

        The scheduler fails where it is killed; where it ends by itself, it does so because of a rank.
        """
        failures = [number for number in self.ended if self._is_failure(number)]
        halted = sorted(self.halted, key=lambda number: self.halted[number])
        if halted and (failures or time.monotonic() - self.halted[halted[0]] > HALT_SECONDS):
            return self._cause(halted[0], HALTED)
        return self._cause(failures[0], self.ended[failures[0]]) if failures else None

    def _is_failure(self, number: int | None) -> bool:
        status = self.ended[number]
        if number is None:
            return status == KILLED and len(self.ranks) < len(self.plan.ranks)
        return status not in (0, *STOPPED)

    def _cause(self, number: int | None, status: int) -> Cause:
        if number is None:
            return Cause("the scheduler", status, (Path(self.plan.log_dir) / "scheduler.log",))
        log = next(Path(own.log) for own in self.plan.ranks if own.rank == number)
        return Cause(f"rank {number}", status, (log,), number)

    def launcher_failed(self, returncode: int) -> Cause:
        """That msrun ended before its ranks did; or the one rank before it had a log of its own."""
        log_dir = Path(self.plan.log_dir)
        status = 128 - returncode if returncode < 0 else returncode or 1
        logs = (log_dir / "msrun.log", log_dir / "scheduler.log")
        return Cause(f"rank {self.plan.ranks[0].rank}" if self.plan.alone else "msrun", status, logs)

    def explained(self, cause: Cause, returncode: int) -> Cause:
        """Of a rank that left without a word: the signal that ended it, and of several the one that msrun saw first.

        Args:
            returncode: that of msrun, or of the one rank.
        """
        silent = {self.pids[rank]: rank for rank, status in self.ranks.items() if status == KILLED}
        if cause.rank is None or cause.status != KILLED:
            return cause
        if self.plan.alone:
            return self._cause(self.plan.ranks[0].rank, 128 - returncode if returncode < 0 else KILLED)
        text = (Path(self.plan.log_dir) / "msrun.log").read_text(encoding="utf-8", errors="replace")
        seen = re.search(r"Worker process (\d+) exit with exception\. Error code: (-?\d+)", text)
        if seen is None or int(seen[1]) not in silent:
            return cause
        code = int(seen[2])
        return self._cause(silent[int(seen[1])], 128 - code if code < 0 else code)
