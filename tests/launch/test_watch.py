"""Which process of a job failed first: real processes in the place of ranks and scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.launch import processes, report, watch
from mindzoo.utils.launch.job_plan import HALTED, KILLED, JobPlan, RankPlan
from mindzoo.utils.launch.watch import Watch


class Members:
    """Two ranks and a scheduler (None) that sleep."""

    def __init__(self, folder: Path) -> None:
        ranks = [RankPlan(rank, str(folder), str(folder / f"log{rank}"), "") for rank in (0, 1)]
        self.watch = Watch(JobPlan("train.py", [], 2, ranks, str(folder)))
        self.running = {number: subprocess.Popen(["sleep", "600"]) for number in (0, 1, None)}
        for number, process in self.running.items():
            self.watch.plan.tell(number, "pid", process.pid)
        self.watch.look()

    def end(self, number: int | None, sent: int = signal.SIGKILL) -> None:
        self.running[number].send_signal(sent)
        if sent == signal.SIGSTOP:
            halted = lambda: processes.state(self.running[number].pid) == processes.HALTED  # noqa: E731
            assert processes.wait_until(halted, 10)
        else:
            self.running[number].wait()

    def failed(self) -> tuple[str, int] | None:
        self.watch.look()
        cause = self.watch.failed()
        return (cause.process, cause.status) if cause else None


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Members]:
    made = Members(tmp_path)
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()


def test_nothing_has_failed_while_all_run(members: Members) -> None:
    assert members.failed() is None
    assert members.watch.begun
    assert members.watch.living == members.watch.rank_pids


def test_a_rank_that_left_without_a_word_failed_before_those_that_missed_it(members: Members) -> None:
    members.watch.plan.tell(0, "status", 1)
    members.end(1)
    assert members.failed() == ("rank 1", KILLED)


def test_of_ranks_that_told_their_status_the_earlier_failed_first(members: Members) -> None:
    members.watch.plan.tell(1, "status", 1)
    members.watch.plan.tell(0, "status", 1)
    path = Path(members.watch.plan.log_dir) / "rank_1.status"
    os.utime(path, (time.time() - 5, time.time() - 5))
    assert members.failed() == ("rank 1", 1)


def test_a_killed_scheduler_is_named_at_once(members: Members) -> None:
    members.end(None)
    assert members.failed() == ("the scheduler", KILLED)


def test_a_scheduler_that_ends_after_the_ranks_has_not_failed(members: Members) -> None:
    for rank in (0, 1):
        members.watch.plan.tell(rank, "status", 0)
    members.end(None)
    assert members.failed() is None


@pytest.mark.parametrize("number", [1, None])
def test_what_a_signal_has_stopped_is_named_and_not_those_that_wait_for_it(
    members: Members, number: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    members.end(number, signal.SIGSTOP)
    assert members.failed() is None
    name = "the scheduler" if number is None else "rank 1"
    pid = members.running[number].pid
    assert (
        f"launch: {name} stands still, a signal has stopped it: kill -CONT {pid} within 15 s" in capsys.readouterr().out
    )
    members.watch.plan.tell(0, "status", 1)
    assert members.failed() == (name, HALTED)
    assert report.described(HALTED) == "stopped by a signal and not continued"


def test_what_stands_still_for_too_long_fails(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    members.end(1, signal.SIGSTOP)
    members.watch.look()
    monkeypatch.setattr(watch, "HALT_SECONDS", 0.0)
    assert members.failed() == ("rank 1", HALTED)


def test_what_is_continued_goes_on(members: Members) -> None:
    members.end(1, signal.SIGSTOP)
    members.watch.look()
    assert members.watch.halted
    members.running[1].send_signal(signal.SIGCONT)
    assert processes.wait_until(lambda: processes.state(members.running[1].pid) != processes.HALTED, 10)
    members.watch.plan.tell(0, "status", 1)
    assert members.failed() == ("rank 0", 1)


def test_msrun_does_not_blame_a_rank_that_said_how_it_ended(members: Members) -> None:
    """It looks once a second, in the order of the ranks."""
    pid = members.running[0].pid
    text = f"Worker process {pid} exit with exception. Error code: 1."
    (Path(members.watch.plan.log_dir) / "msrun.log").write_text(text)
    members.watch.plan.tell(0, "status", 1)
    members.end(1)
    members.watch.look()
    cause = members.watch.failed()
    assert cause is not None
    assert members.watch.explained(cause, 1) == cause


def test_a_rank_whose_launcher_is_gone_does_not_begin(tmp_path: Path) -> None:
    """The system tells a process of its parent's end only once it has asked for that."""
    plan = JobPlan("train.py", [], 2, [RankPlan(0, str(tmp_path), str(tmp_path / "log"), "")], str(tmp_path))
    plan.write()
    command = [sys.executable, str(ROOT / "utils" / "launch" / "rank.py"), str(plan.path)]
    # This process, which starts it, is of no job.
    environment = {**os.environ, processes.JOB_VARIABLE: "another", "DEVICE_ID": "0"}
    done = subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True)
    assert done.returncode == 128 + signal.SIGTERM
    assert plan.told(0, "pid") is None
