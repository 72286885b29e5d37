"""Checks what is to be launched, makes the ranks' folders, writes the plan, and hands over to the supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mindzoo.utils import environment, log
from mindzoo.utils.cluster import card, ports
from mindzoo.utils.cluster.rank_table import RankTable
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import write_json, write_text
from mindzoo.utils.launch import earlier, layout, rank_folders
from mindzoo.utils.launch.earlier import Moved
from mindzoo.utils.launch.job_plan import JobPlan, RankPlan
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.launch.layout import Layout
from mindzoo.utils.launch.rank_folders import Pattern
from mindzoo.utils.log import logger
from mindzoo.utils.records import RECIPE

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# Keys of a training or an evaluation that are paths: the ranks work in folders of their own.
PATHS = (
    "config_path", "data_dir", "eval_data_dir", "pretrained", "checkpoint", "resume", "output_dir", "skip_list", "classes", "held_out",
    "data_url", "eval_data_url", "checkpoint_url", "train_url",
)  # fmt: skip
CLUSTER_SECONDS = (120, 600)  # on one server, and on several, which are started one after the other
VISIBLE = {"CPU": "", "GPU": "CUDA_VISIBLE_DEVICES"}


@dataclass(frozen=True)
class Launched:
    """The command that every rank runs."""

    entry: Path  # the script
    name: str  # "train"
    words: Sequence[str] = ()  # for the script, before the flags
    # Ranks that write into folders of their own work there, and relative paths are made absolute. Ranks that make one file
    # together work in the current folder, so that names mean, and are written, what they are with one rank.
    together: bool = False
    recipe: str = ""  # the text of one that is made for the ranks, and wins over that of --config_path


def launch(command: Launched, options: LaunchConfig, loaded: Loaded[Any], flags: Sequence[str]) -> None:
    """Start the command with `flags` on every rank; does not return unless the job runs in the background.

    Args:
        loaded: the configuration that `flags` mean.

    Raises:
        UserError: anything the user can mend; nothing was started or written then.
    """
    hand_over(plan_job(command, options, loaded, flags), background=options.background)


def plan_job(command: Launched, options: LaunchConfig, loaded: Loaded[Any], flags: Sequence[str]) -> JobPlan:
    """What the supervisor is to carry out; the folders that it needs are made, and it is said where they are.

    Args, Raises: as `launch`.
    """
    if not sys.platform.startswith("linux"):
        raise UserError(f"several ranks can be launched on Linux only, and this is {sys.platform}")
    placed = layout.lay_out(options)
    visible = devices_environment(options, placed)
    port = 0
    if placed.size > 1:
        port = ports.choose_port(
            placed.master_addr, options.master_port, nodes=placed.nodes, node_rank=placed.node_rank
        )
    go_on = getattr(loaded.config, "resume", "") == "auto" and not Path(loaded.config.output_dir).is_absolute()
    root, ranks, moved = make_folders(command.name, options, placed, go_on=go_on)
    log_dir = make_log_dir(root, ranks, placed)
    device = ["--device_target", options.device_target] if options.device_target else []
    paths = [] if command.together else absolute_paths(loaded, moved)
    recipe = place_recipe(command.recipe, log_dir)
    plan = JobPlan(
        entry=str(command.entry),
        flags=[*command.words, *device, *flags, *paths, *recipe, "--is_distributed", str(int(placed.size > 1))],
        size=placed.size,
        ranks=ranks,
        log_dir=str(log_dir),
        nodes=placed.nodes,
        node_rank=placed.node_rank,
        master_addr=placed.master_addr,
        master_port=port,
        rank_table=place_table(placed.table, log_dir),
        cluster_timeout=options.cluster_timeout or CLUSTER_SECONDS[placed.nodes > 1],
        bind_core=options.bind_core,
        follow=not options.background,
        done_line=options.done_line,
        failed_line=options.failed_line,
        work_in=str(Path.cwd()) if command.together else "",
        environment=visible,
    )
    plan.write()
    announce(plan, options, placed)
    return plan


def make_folders(
    command: str, options: LaunchConfig, placed: Layout, *, go_on: bool
) -> tuple[Path, list[RankPlan], Moved]:
    """The folder that the ranks' folders are in, which exist then, the ranks, and what made room for them."""
    pattern = Pattern(
        options.rank_folder or f"{command}_parallel{{rank}}",
        options.log_name, options.env_name, options.folder_link, options.log_link,
    )  # fmt: skip
    root, moved = rank_folders.create(Path.cwd(), pattern, placed.ranks, go_on=go_on)
    for old, new in moved.items():
        logger.info("launch: %s of an earlier job is %s now", old, new)
    ranks = []
    for rank in placed.ranks:
        names = pattern.of(rank)
        rank_folders.link(root, names)
        folder = root / names.folder
        env = str(folder / names.env) if names.env else ""
        ranks.append(RankPlan(rank, str(folder), str(folder / names.log), env))
    return root, ranks, moved


def make_log_dir(root: Path, ranks: Sequence[RankPlan], placed: Layout) -> Path:
    """A new folder for the logs of msrun and of the supervisor; a rank without msrun has it in its own folder."""
    if placed.size == 1:
        return rank_folders.make_log_dir(Path(ranks[0].folder) / "launch_log")
    return rank_folders.make_log_dir(root / "msrun_log" / (f"server{placed.node_rank}" if placed.nodes > 1 else ""))


def absolute_paths(loaded: Loaded[Any], moved: Moved) -> list[str]:
    """Flags that give paths again, the last one wins: relative ones, and those of what an earlier job has left."""
    flags = []
    for name in PATHS:
        value = getattr(loaded.config, name, "") if name in loaded.given else ""
        if not value or "://" in value or (name, value) == ("resume", "auto"):
            continue
        here = Path.cwd() / value
        # Results of this job have their place, whatever was there before.
        place = here if name in ("output_dir", "train_url") else earlier.place_now(here, moved)
        if name == "config_path" and not place.is_file():  # the name of a recipe
            continue
        if str(place) != value:
            flags += [f"--{name}", str(place)]
    return flags


def place_table(table: RankTable | None, log_dir: Path) -> str:
    """The file of the table in the form that HCCL takes: its own, or a new one beside the logs; empty without one."""
    if table is None:
        return ""
    if not table.converted:
        return str(table.path.resolve())
    path = log_dir / "rank_table.json"
    write_json(path, table.content)
    logger.info("launch: %s is of the older form (group_list); the ranks get %s", table.path, path)
    return str(path)


def place_recipe(text: str, log_dir: Path) -> list[str]:
    """The flag that names the recipe, beside the logs; nothing without one."""
    if not text:
        return []
    write_text(log_dir / RECIPE, text)
    return ["--config_path", str(log_dir / RECIPE)]


def devices_environment(
    options: LaunchConfig, placed: Layout, nodes: Path = environment.DEVICE_NODES, *, contained: bool | None = None
) -> dict[str, str]:
    """The variables that lead ranks to their devices, where these are not simply the first ones.

    Args:
        contained: whether this is a container; None: see for yourself.

    Raises:
        UserError: a container lacks one of the devices.
    """
    name = VISIBLE.get(options.device_target, "ASCEND_RT_VISIBLE_DEVICES")
    devices = placed.devices
    if name == "ASCEND_RT_VISIBLE_DEVICES" and (card.in_container() if contained is None else contained):
        devices = card.logical(devices, environment.device_numbers(nodes))
    if placed.size == 1:
        return {"DEVICE_ID": str(devices[0])}
    if not name or name in os.environ or devices == tuple(range(len(devices))):
        return {}
    return {name: ",".join(map(str, devices))}


def announce(plan: JobPlan, options: LaunchConfig, placed: Layout) -> None:
    """Say which ranks start and where they write."""
    if options.rank_line:
        for rank, device in zip(placed.ranks, placed.devices, strict=True):
            logger.info(options.rank_line.replace("{rank}", str(rank)).replace("{device}", str(device)))
    for own in plan.ranks:
        logger.info("launch: rank %d of %d writes to %s", own.rank, plan.size, own.log)
    logger.info("launch: the job's own logs are in %s", plan.log_dir)


def hand_over(plan: JobPlan, *, background: bool) -> None:
    """Become the supervisor, which needs no MindSpore; or start it and return."""
    command = [sys.executable, str(SUPERVISOR), str(plan.path)]
    if not background:
        _become(command)
    with open(Path(plan.log_dir) / "launch.log", "wb") as out:
        job = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    logger.info("launch: running in the background as process %d; kill %d stops it", job.pid, job.pid)


def _become(command: list[str]) -> NoReturn:
    log.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)
