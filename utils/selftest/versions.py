"""Which versions are here, and whether they go together: what doctor says, in numbers that name no place."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any

from mindzoo import __version__
from mindzoo.utils import compat, environment, runtime
from mindzoo.utils.cluster import card
from mindzoo.utils.doctor import ascend, machine
from mindzoo.utils.doctor.finding import Finding
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight


def check(job: Job) -> Found:
    """Versions of everything.

    Raises:
        NotRight: doctor finds a problem.
    """
    findings = list(_findings(job))
    problems = [f"{one.subject}: {one.text}" for one in findings if one.level == "problem"]
    if problems:
        raise NotRight("; ".join(problems))
    numbers = facts(job.device)
    words = [f"MindSpore {numbers['mindspore']}", f"Python {numbers['python']}"]
    if job.device == "Ascend":
        words += [f"{numbers['soc']} ({numbers['generation'] or 'of an unknown generation'})"]
        words += [f"CANN {numbers['cann'] or 'unknown'}", f"driver {numbers['driver'] or 'unknown'}"]
    doubts = [f"{one.subject}: {one.text}" for one in findings if one.level == "warning"]
    return "; ".join([", ".join(words), *doubts]), numbers


def _findings(job: Job) -> Iterator[Finding]:
    yield from machine.check_versions()
    yield from ascend.check_ascend(1 if job.device == "Ascend" else 0)
    yield machine.check_cpu()


def facts(device: str) -> dict[str, Any]:
    """All versions, by name; empty where there is none."""
    runtime.start(device)
    own = card.find(compat.soc_version) if device == "Ascend" else card.NONE
    return {
        "mindzoo": __version__,
        **{subject.lower(): found for subject, (found, _) in environment.examine().items()},
        "system": platform.release(),
        "cores": os.cpu_count(),
        "soc": own.soc,
        "generation": own.generation,
        "cann": card.cann_version(),
        "driver": card.version_in(ascend.DRIVER / "version.info"),
        "devices": len(environment.device_numbers()),
        "container": card.in_container(),
    }
