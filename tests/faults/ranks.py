"""Faults of a job of several ranks: one of them, the supervisor or the scheduler is killed or stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from mindzoo.tests.faults.chain import Bed, Broken, Fault
from mindzoo.tests.faults.kills import at_step
from mindzoo.tests.faults.process import Command, Job, pause
from mindzoo.utils.launch import processes

SECONDS_TO_VANISH = 15.0


def rank_killed(job: Job, bed: Bed) -> None:
    os.kill(job.job.pid(bed.random.randrange(bed.variant.ranks)), signal.SIGKILL)


def rank_stopped(job: Job, bed: Bed) -> None:
    os.kill(job.job.pid(bed.random.randrange(bed.variant.ranks)), signal.SIGSTOP)


def supervisor_killed(job: Job, bed: Bed) -> None:
    job.send(signal.SIGKILL)


def scheduler_killed(job: Job, bed: Bed) -> None:
    os.kill(job.job.scheduler, signal.SIGKILL)


def asked_to_stop(job: Job, bed: Bed) -> None:
    job.send(signal.SIGTERM)


def _fault(name: str, disturb: Callable[[Job, Bed], None]) -> Fault:
    def act(training: Command, bed: Bed, step: int) -> None:
        assert isinstance(training, Job)
        at_step(training, step)
        pause(bed.random.random() * 0.05)
        job = training.job.name
        disturb(training, bed)
        status = training.end()
        if not processes.wait_until(lambda: not processes.of_job(job), SECONDS_TO_VANISH):
            left = processes.of_job(job)
            processes.send(left, signal.SIGKILL)
            raise Broken(f"{len(left)} processes of the job lived on after {name}")
        if status is None:
            raise Broken(f"the job did not end after {name}")

    return Fault(name, act)


KILLED = _fault("SIGKILL of a rank", rank_killed)
STOPPED = _fault("SIGSTOP of a rank", rank_stopped)
SUPERVISOR = _fault("SIGKILL of the supervisor", supervisor_killed)
SCHEDULER = _fault("SIGKILL of the scheduler", scheduler_killed)
ASKED = _fault("SIGTERM to the job", asked_to_stop)
