"""Two ranks under the launcher, msrun and supervisor as of any job: each adds what it has to what the other has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mindzoo.utils import compat
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.launch import launcher, processes
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.selftest import sum_of_ranks
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import LeftOut, NotRight

RANKS = 2
LAST_LINES = 5


def add(job: Job) -> Found:
    """The sum that both ranks get.

    Raises:
        LeftOut: there are no two devices, or no msrun on this system.
        NotRight: the job fails, or a sum is another one.
    """
    if not sys.platform.startswith("linux"):
        raise LeftOut("several ranks can be launched on Linux only")
    if job.device == "Ascend" and compat.device_count("Ascend") < RANKS:
        raise LeftOut("MindSpore sees fewer than two devices; two ranks need two")
    os.chdir(job.folder)
    options = LaunchConfig(ranks=RANKS, device_target=job.device)
    flags = ["--output_dir", str(job.folder)]
    command = launcher.Launched(Path(sum_of_ranks.__file__), "selftest")
    plan = launcher.plan_job(command, options, Loaded(options, frozenset()), flags)
    supervisor = [sys.executable, str(launcher.SUPERVISOR), str(plan.path)]
    done = subprocess.run(supervisor, check=False, preexec_fn=processes.end_with_parent)  # however this step ends
    if done.returncode:
        raise NotRight(f"the job of two ranks ended with status {done.returncode}")
    wanted = sum_of_ranks.expected(RANKS)
    sums = [json.loads((job.folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(RANKS)]
    if any(found != wanted for found in sums):
        raise NotRight(f"the sums are {sums[0]} on rank 0 and {sums[1]} on rank 1; wanted {wanted}")
    return f"both ranks got {wanted}", {"sums": sums, "wanted": wanted}
