"""Jobs that tests launch: started, waited for, and looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils.compiling import graphs
from mindzoo.utils.launch import processes

# For a machine that is busy with other tests.
PATIENCE = 240
LAUNCH = [sys.executable, str(ROOT), "launch", "densenet121"]
SMALL = ["--color_jitter", "", "--batch_size", "3", "--workers", "1", "--lr", "0.05", "--log_interval", "1000"]


def endless(data: Path) -> list[str]:
    """Flags of a training that does not end by itself."""
    return [*tiny(), *SMALL, "--data_dir", str(data / "train"), "--max_epoch", "100000"]


@dataclass
class LaunchedJob:
    """`mindzoo launch` under way, in the folder `cwd`."""

    cwd: Path
    process: subprocess.Popen[str]
    since: float = 0.0  # what an earlier job left in `cwd` is older

    @property
    def plans(self) -> list[Path]:
        """What tells where the job's processes write; empty until it has been written."""
        with suppress(FileNotFoundError):  # the launcher renames an earlier job's folders meanwhile
            return [path for path in self.cwd.rglob("plan.json") if path.stat().st_mtime >= self.since]
        return []

    @property
    def log_dir(self) -> Path:
        """The newest folder with a plan."""
        return max(self.plans, key=lambda path: path.stat().st_mtime).parent

    @property
    def plan(self) -> dict[str, Any]:
        return json.loads((self.log_dir / "plan.json").read_text())

    def log(self, rank: int = 0) -> str:
        """What a rank of this server, counted from 0, has printed so far."""
        path = Path(self.plan["ranks"][rank]["log"])
        return path.read_text() if path.exists() else ""

    def wait_for(self, text: str, rank: int = 0) -> None:
        """Wait until the rank has printed the text."""
        end = time.monotonic() + PATIENCE
        while not (self.plans and text in self.log(rank)):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, self.log(rank)[-2000:]
            time.sleep(0.1)

    def pid(self, rank: int) -> int:
        return int((self.log_dir / f"rank_{rank}.pid").read_text())

    @property
    def scheduler(self) -> int:
        """The process of msrun's scheduler, once it has begun."""
        path = self.log_dir / "scheduler.pid"
        assert processes.wait_until(path.exists, PATIENCE)
        return int(path.read_text())

    @property
    def name(self) -> str:
        """What all processes of the job have in their environment."""
        environment = Path(self.plan["ranks"][0]["env"]).read_text()
        return next(line for line in environment.splitlines() if line.startswith(processes.JOB_VARIABLE)).split("=")[1]

    def finish(self, *, seconds_to_vanish: float = 0.0) -> tuple[int, str]:
        """Exit status and what was printed; fails where a process of the job is left after that time."""
        printed, errors = self.process.communicate(timeout=PATIENCE)
        name = self.name
        assert processes.wait_until(lambda: not processes.of_job(name), seconds_to_vanish)
        assert errors == ""
        return self.process.returncode, printed


def start(cwd: Path, *words: object, name: str = "train") -> LaunchedJob:
    """Start `mindzoo launch densenet121 train …`, or another command."""
    command = [*LAUNCH, name, *map(str, words)]
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    return LaunchedJob(cwd, process)


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without what its own MindSpore put there; graphs are kept, as a user's are."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MS_")}
    return {**own, graphs.VARIABLE: "auto", **more}


def run(command: Sequence[object], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, env=environment(**more)
    )
