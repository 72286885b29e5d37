"""What msrun runs for each rank, and for its scheduler: python rank.py PLAN.

A rank enters its folder, leaves its environment there, prints into its log, and becomes the network's entry point. How
it ended is written down for the supervisor, since the exit status alone would make msrun kill the ranks that are slower.
"""

from __future__ import annotations

import os
import re
import runpy
import signal
import sys
import traceback
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "importable.py"), run_name="importable")

from mindzoo.utils.cluster import cores  # noqa: E402
from mindzoo.utils.launch import job_plan as plans  # noqa: E402
from mindzoo.utils.launch import processes  # noqa: E402
from mindzoo.utils.launch.job_plan import STOPPED, JobPlan, RankPlan  # noqa: E402

# The variables whose values env.log shows: those that a run depends on, by the beginning of their names.
SHOWN = (
    "ASCEND_", "CUDA_", "DEVICE", "GLOG_", "GOMP_", "HCCL_", "KMP_", "LC_", "MINDZOO_", "MKL_", "MS_", "NCCL_", "NPU_", "OMP_",
    "OMPI_", "ONEDNN_", "OPENBLAS_", "RANK", "SERVER_ID", "TASK_", "TE_",
)  # fmt: skip
SHOWN_WHOLE = (
    "CONDA_PREFIX", "HOME", "HOSTNAME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "OLDPWD", "PATH", "PWD", "PYTHONPATH",
    "SHELL", "SHLVL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV",
)  # fmt: skip
# But not with one of these in the name.
SECRETS = ("KEY", "SECRET", "TOKEN", "PASS", "PWD", "CREDENTIAL", "AUTH", "COOKIE")


def main(path: str) -> int:
    """Run as one rank of the plan, or as msrun's scheduler; returns the exit status for msrun."""
    plan = plans.read_plan(Path(path))
    job = os.environ.get(processes.JOB_VARIABLE, "")
    scheduler = os.environ.get("MS_ROLE") == "MS_SCHED"
    # The scheduler computes nothing that could be saved, and does not obey SIGTERM while it waits for the ranks.
    processes.end_with_parent(signal.SIGKILL if scheduler else signal.SIGTERM)
    if not plan.alone and not processes.is_of_job(os.getppid(), job):
        return 128 + signal.SIGTERM  # msrun was gone before this process could follow it
    if scheduler:
        # The framework leaves files in the current folder; but the command begins with a look at its paths.
        os.chdir(plan.work_in or plan.log_dir)
        plan.tell(None, "pid", os.getpid())
        status = run(plan)
        plan.tell(None, "status", status)
        return status
    local = 0 if plan.alone else int(os.environ["DEVICE_ID"])
    own = plan.ranks[local]
    enter(plan, own, local)
    plan.tell(own.rank, "pid", os.getpid())
    status = run(plan)
    plan.tell(own.rank, "status", status)
    if not plan.alone and not processes.is_of_job(os.getppid(), job):
        os._exit(status)  # msrun and its scheduler are gone: MindSpore could wait for long to take its leave of them
    return status if plan.alone or status not in STOPPED else 0


def enter(plan: JobPlan, own: RankPlan, local: int) -> None:
    """Folder, environment, log and cores of this rank."""
    os.environ.update(DEVICE_NUM=str(len(plan.ranks)), SERVER_ID=str(plan.node_rank), RANK_SIZE=str(plan.size))
    os.environ["RANK_ID"] = str(own.rank)
    if not plan.alone:
        # msrun counts as if every server had as many ranks as this one.
        os.environ["MS_NODE_ID"] = str(own.rank)
    # Before a rank is kept on its share.
    os.environ[cores.VARIABLE] = str(max(cores.all_cores() // len(plan.ranks), 1))
    os.chdir(plan.work_in or own.folder)
    if plan.bind_core:
        bind_core(local, len(plan.ranks))
    if own.env:
        with open(os.open(own.env, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.writelines(f"{name}={shown(name, value)}\n" for name, value in sorted(os.environ.items()))
    sys.stdout.flush()
    with open(own.log, "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def bind_core(local: int, count: int) -> None:
    """Keep this process on its share of the cores; with fewer cores than ranks on all of them."""
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // count
    if share:
        os.sched_setaffinity(0, cores[local * share : (local + 1) * share])


def shown(name: str, value: str) -> str:
    """The value of a variable that a run depends on, without what stands before the @ of an address; else ***."""
    by_its_beginning = name.startswith(SHOWN) and not any(word in name for word in SECRETS)
    if name not in SHOWN_WHOLE and not by_its_beginning:
        return "***"
    return re.sub(r"(\w://)[^/@\s]*@", r"\1***@", value)


def run(plan: JobPlan) -> int:
    """The entry point's exit status."""
    sys.argv, sys.path[0] = [plan.entry, *plan.flags], str(Path(plan.entry).parent)
    try:
        runpy.run_path(plan.entry, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
