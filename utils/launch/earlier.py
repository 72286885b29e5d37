"""What an earlier job left at the place of a new one: it makes room, so that what lies there is always the newest job's.

A program that reads `train_parallel0/log` cannot mistake the one for the other. Nothing is deleted or copied, only renamed.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import job_plan as plans
from mindzoo.utils.launch import processes

Moved = dict[Path, Path]  # where something was -> where it is now


def users(folders: Collection[Path]) -> list[int]:
    """The processes on this server of jobs with a rank in one of the folders."""
    wanted = {folder.resolve() for folder in folders}
    found = []
    for pid, path in sorted(processes.with_argument(plans.FILE).items()):
        try:
            plan = plans.read_plan(path)
        except (OSError, ValueError, TypeError, KeyError):  # somebody else's file of that name
            continue
        if wanted & {Path(own.folder) for own in plan.ranks}:
            found.append(pid)
    return found


def log_dirs(root: Path) -> Iterator[tuple[Path, list[tuple[int, Path]]]]:
    """The folders with the logs of jobs in `root`, below it, with the rank numbers of each and the ranks' folders then."""
    for pattern in ("msrun_log*", "msrun_log*/server*"):
        for path in sorted(root.glob(f"{pattern}/{plans.FILE}")):
            try:
                ranks = plans.read_plan(path).ranks
            except (OSError, ValueError, TypeError, KeyError):
                continue
            yield path.parent.relative_to(root), [(own.rank, Path(own.folder)) for own in ranks]


def set_aside(base: Path, parts: Collection[Path]) -> Moved:
    """Rename parts of `base` into `base/earlier_1`, or the first such folder that has none of them.

    Raises:
        UserError: they cannot be renamed.
    """
    targets = (base / f"earlier_{number}" for number in itertools.count(1))
    return move(base, next(path for path in targets if not any((path / part).exists() for part in parts)), parts)


def move(source: Path, target: Path, parts: Iterable[Path]) -> Moved:
    """Rename parts of one folder into another.

    Raises:
        UserError: they cannot be renamed.
    """
    moved = {source / part: target / part for part in parts}
    for old, new in moved.items():
        rename(old, new)
    return moved


def rename(old: Path, new: Path) -> None:
    """Rename what an earlier job left.

    Raises:
        UserError: it cannot be renamed.
    """
    try:
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
    except OSError as error:
        raise UserError(
            f"cannot rename {old}, which is of an earlier job, to {new}: {error.strerror}; move it yourself, or start in "
            "another folder"
        ) from None


def place_now(path: Path, moved: Moved) -> Path:
    """Where a path leads after the moves."""
    for old, new in moved.items():
        if path.is_relative_to(old):
            return new / path.relative_to(old)
    return path
