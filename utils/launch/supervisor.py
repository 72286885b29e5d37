"""Carries out a plan: python supervisor.py PLAN. It runs for as long as the job does, without loading MindSpore.

Left alone, msrun leaves its ranks behind when it gets SIGTERM, ends with status 0 on SIGINT, and waits for half a minute
for its scheduler once a rank has died. So signals go to the ranks by pid, the first rank that fails ends all others
and the scheduler, and the exit status is that of the ranks.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "importable.py"), run_name="importable")

from mindzoo.utils.launch import job_plan as plans  # noqa: E402
from mindzoo.utils.launch import processes, report  # noqa: E402
from mindzoo.utils.launch.job_plan import KILLED, JobPlan  # noqa: E402
from mindzoo.utils.launch.watch import Cause, Watch  # noqa: E402

POLL_SECONDS = 0.2
# For the other ranks once one has failed: msrun looks once a second, and ends them.
FAILURE_SECONDS = 3.0
# For msrun and its scheduler once all ranks of this server have ended, on one server and on several.
END_SECONDS = (10.0, 60.0)
# After so many seconds without a sign of life a rank is given up, where there are several servers: by 30, MindSpore's
# default, a short break of the network does not end the job. More servers have more such breaks.
NODE_TIMEOUT, MANY_SERVERS, NODE_TIMEOUT_OF_MANY = "30", 16, "60"
# What a job leaves in a shell that exported it, and what would lead the ranks of this one astray.
STALE = ("MS_ROLE", "MS_NODE_ID", "MS_WORKER_NUM", "MS_SCHED_HOST", "MS_SCHED_PORT", "RANK_TABLE_FILE")


@dataclass
class Job:
    """The job on this server, under way."""

    plan: JobPlan
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    signals: list[int] = field(default_factory=list)  # that asked it to stop
    watch: Watch = field(init=False)
    cause: Cause | None = None  # what failed first

    def __post_init__(self) -> None:
        self.watch = Watch(self.plan)

    def run(self) -> int:
        """Start, watch and clear away; returns the job's exit status."""
        started, obeyed = time.monotonic(), 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: self.signals.append(received))
        processes.adopt_orphans()
        follower = report.Follower(self.plan.ranks[0].log if self.plan.follow else None)
        launcher = self.start()
        while not self.is_over(launcher):
            time.sleep(POLL_SECONDS)
            follower.show()
            if len(self.signals) > obeyed:
                obeyed += 1
                self.stop(at_once=obeyed > 1)
        self.clear_away(launcher)
        follower.show()
        cause, status = self.outcome(launcher.returncode)
        if cause is not None:
            report.failure(cause)
        report.say(f"the job ended with status {status} after {time.monotonic() - started:.0f} s")
        last_line = self.plan.failed_line if status else self.plan.done_line
        if last_line:
            report.show(last_line)
        (Path(self.plan.log_dir) / "status").write_text(f"{status}\n")
        return status

    def start(self) -> subprocess.Popen[bytes]:
        """Start msrun, or the one rank, in a session of its own: a Ctrl-C on the terminal is for this process alone."""
        with open(Path(self.plan.log_dir) / "msrun.log", "wb") as log:
            return subprocess.Popen(
                command(self.plan), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment(self.plan, self.name), start_new_session=True, preexec_fn=processes.end_with_parent,
            )  # fmt: skip

    def stop(self, *, at_once: bool) -> None:
        """Ask the ranks to stop: they agree on a step, save, and end. The second time all processes are killed."""
        if at_once:
            report.say("asked again: ending all processes at once")
            processes.send(processes.of_job(self.name), signal.SIGKILL)
            return
        name = signal.Signals(self.signals[0]).name
        report.say(
            f"asked to stop by {name}: the ranks finish their step and save a checkpoint; once more ends at once"
        )
        # MindSpore takes SIGINT for itself while it computes, so the ranks get SIGTERM either way. Where some have not
        # begun there is nothing to save, and whoever starts them is ended too.
        processes.send(self.watch.living if self.watch.begun else processes.of_job(self.name), signal.SIGTERM)

    def is_over(self, launcher: subprocess.Popen[bytes]) -> bool:
        """Whether all ranks of this server have ended, or something has failed."""
        launcher_ended = launcher.poll() is not None
        self.watch.look()
        self.cause = self.watch.failed()
        too_early = launcher_ended and len(self.watch.ranks) < len(self.plan.ranks) and not self.signals
        if too_early and (self.cause is None or self.cause.rank is None):
            # The scheduler ends with msrun, and the ranks are asked to.
            self.cause = self.watch.launcher_failed(launcher.returncode)
        if self.cause is not None:
            return True
        return not self.watch.living if launcher_ended else len(self.watch.ranks) == len(self.plan.ranks)

    def clear_away(self, launcher: subprocess.Popen[bytes]) -> None:
        """Leave no process behind: what does not end in time is killed, the scheduler first and msrun last."""
        seconds = END_SECONDS[self.plan.nodes > 1]
        if self.cause is not None and self.cause.rank is not None:
            seconds = FAILURE_SECONDS
        elif self.cause is not None:
            # Without the scheduler the ranks can still save; where msrun is gone, the system has asked them. Then they
            # look for the scheduler to take their leave.
            if launcher.poll() is None and not self.signals:
                processes.send(self.watch.living, signal.SIGTERM)
            processes.wait_until(self.watch.are_done, seconds)
            seconds = FAILURE_SECONDS
        processes.wait_until(lambda: not any(map(processes.is_alive, self.watch.rank_pids)), seconds)
        if self.cause is None:
            processes.wait_until(lambda: launcher.poll() is not None, seconds)
        processes.send((pid for pid in processes.of_job(self.name) if pid != launcher.pid), signal.SIGKILL)
        processes.wait_until(lambda: launcher.poll() is not None, FAILURE_SECONDS)
        processes.send(processes.of_job(self.name), signal.SIGKILL)
        launcher.wait()
        processes.bury_orphans()

    def outcome(self, returncode: int) -> tuple[Cause | None, int]:
        """What failed first and the job's exit status: that of the cause, else of the signal, else of the ranks.

        Args:
            returncode: that of msrun, or of the one rank.
        """
        cause = self.cause and self.watch.explained(self.cause, returncode)
        status = cause.status if cause else 0
        if self.signals and status in (0, 128 + signal.SIGTERM, KILLED):
            return None, 128 + self.signals[0]
        ended = self.watch.ranks
        if cause is None and len(ended) < len(self.plan.ranks):
            cause = self.watch.launcher_failed(returncode)
        return cause, cause.status if cause else max(ended.values())


def command(plan: JobPlan) -> list[str]:
    """The command line of msrun, or of the one rank."""
    rank = [str(Path(__file__).with_name("rank.py")), str(plan.path)]
    if plan.alone:
        return [sys.executable, *rank]
    # A rank number that there is none of: no log is shown. msrun's own value for that, -1, shows them all.
    table = [f"--rank_table_file={plan.rank_table}"] if plan.rank_table else []
    return [
        sys.executable, "-m", "mindspore.parallel.cluster.run", f"--worker_num={plan.size}",
        f"--local_worker_num={len(plan.ranks)}", f"--master_addr={plan.master_addr}",
        f"--master_port={plan.master_port}", f"--node_rank={plan.node_rank}", f"--log_dir={plan.log_dir}",
        "--join=True", f"--tail_worker_log={plan.size}", f"--cluster_time_out={plan.cluster_timeout}", *table, *rank,
    ]  # fmt: skip


def environment(plan: JobPlan, job: str) -> dict[str, str]:
    """The environment of msrun, which it hands on to the ranks."""
    kept = {name: value for name, value in os.environ.items() if name not in STALE}
    changed = {**kept, **plan.environment, processes.JOB_VARIABLE: job}
    # msrun calls a bare `python`.
    changed["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), changed.get("PATH", os.defpath)])
    if plan.nodes > 1:
        seconds = NODE_TIMEOUT_OF_MANY if plan.nodes > MANY_SERVERS else NODE_TIMEOUT
        changed.setdefault("MS_NODE_TIMEOUT", seconds)
    return changed


if __name__ == "__main__":
    raise SystemExit(Job(plans.read_plan(Path(sys.argv[1]))).run())
