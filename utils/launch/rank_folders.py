"""The folders of a job's ranks: where the original scripts made theirs, or beside them in one that was not there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import earlier, processes
from mindzoo.utils.launch.earlier import Moved
from mindzoo.utils.launch.job_plan import FILE
from mindzoo.utils.log import logger


@dataclass(frozen=True)
class Pattern:
    """Paths in which {rank} is replaced; folder and links are relative to the caller's, log and env to the folder."""

    folder: str
    log: str = "log"
    env: str = "env.log"
    folder_link: str = ""
    log_link: str = ""

    def of(self, rank: int) -> Pattern:
        """The same for one rank."""
        return Pattern(*(text.replace("{rank}", str(rank)) for text in vars(self).values()))


def create(base: Path, pattern: Pattern, ranks: Sequence[int], *, go_on: bool) -> tuple[Path, Moved]:
    """Make the ranks' folders; returns the folder that they are in, `base`, and what made room for them.

    An earlier job's are renamed into `base/earlier_1` and so on. While it still runs they stay, and the new ones are in
    `base/run_2` and so on. With `go_on` the folders with the newest checkpoint of the first rank are taken as they are.

    Raises:
        UserError: they cannot be made, or the job that is to go on still runs.
    """
    own = [pattern.of(rank) for rank in ranks]
    if len({(names.folder, names.log) for names in own}) < len(own):
        raise UserError(f"rank_folder is {pattern.folder} for {len(own)} ranks; put {{rank}} into it")
    running = earlier.users([base / names.folder for names in own])
    if running and go_on:
        raise UserError(
            f"resume is auto, and the job in {base / own[0].folder} still runs (process {running[0]}); wait for its end, "
            "or stop it"
        )
    if running:
        logger.info(
            "launch: an earlier job still runs here (process %d), so this one has a folder of its own", running[0]
        )
        return _beside(base, own), {}
    newest = _newest(base, own[0]) if go_on else None
    moved: Moved = {}
    if newest != base:
        moved |= earlier.set_aside(base, _parts(base, pattern, own))
        if newest is not None:
            moved |= earlier.move(newest, base, _parts(newest, pattern, own))
    if not _make(base, own, exist_ok=newest is not None):
        return _beside(base, own), moved
    return base, moved


def _newest(base: Path, names: Pattern) -> Path | None:
    """Of `base` and the folders beside that jobs were moved to or worked in: that with the newest checkpoint."""
    if Path(names.folder) == Path():  # what a job writes into the current folder stays there
        return base if next(base.rglob("*.ckpt"), None) else None
    found = {
        root: max((path.stat().st_mtime for path in (root / names.folder).rglob("*.ckpt")), default=0.0)
        for root in (base, *base.glob("earlier_*"), *base.glob("run_*"))
    }
    newest = max(found, key=lambda root: found[root])
    return newest if found[newest] else None


def _parts(root: Path, pattern: Pattern, own: Sequence[Pattern]) -> list[Path]:
    """What is of the job that had the first of these folders in `root`: all its ranks' folders, and its logs."""
    if Path(own[0].folder) == Path():
        return [Path(name) for name in (own[0].log, own[0].env, "launch_log") if name and (root / name).exists()]
    parts = [Path(names.folder) for names in own]
    for log_dir, ranks in earlier.log_dirs(root):
        folders = [Path(pattern.of(rank).folder) for rank, _ in ranks]
        same = all(found.parts[-len(f.parts) :] == f.parts for f, (_, found) in zip(folders, ranks, strict=True))
        if same and not {*folders}.isdisjoint(parts):
            parts += [*folders, log_dir]
    return [part for part in dict.fromkeys(parts) if (root / part).exists()]


def _beside(base: Path, own: Sequence[Pattern]) -> Path:
    for root in (base / f"run_{number}" for number in itertools.count(2)):
        if not any(_is_taken(root, names) for names in own) and _make(root, own, exist_ok=False):
            return root
    raise AssertionError("there is always one more number")


def make_log_dir(wanted: Path) -> Path:
    """Make the folder `wanted`; one that is there is renamed to `wanted_earlier_1`, unless its job still runs.

    Raises:
        UserError: it cannot be renamed.
    """
    if wanted.exists() and (wanted / FILE) not in processes.with_argument(FILE).values():
        numbered = (Path(f"{wanted.name}_earlier_{number}") for number in itertools.count(1))
        name = next(name for name in numbered if not (wanted.parent / name).exists())
        earlier.rename(wanted, wanted.parent / name)
    return create_new(wanted)


def create_new(wanted: Path) -> Path:
    """Make the folder `wanted`, or where it exists `wanted_2`, `wanted_3` and so on."""
    for number in itertools.count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise AssertionError("there is always one more number")


def link(root: Path, names: Pattern) -> None:
    """Make the other paths that lead to a rank's folder and log, unless something is there."""
    for word, target in ((names.folder_link, names.folder), (names.log_link, f"{names.folder}/{names.log}")):
        path = root / word
        if word and not path.exists() and not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(Path(*[".."] * (len(Path(word).parts) - 1), target))


def _is_taken(root: Path, names: Pattern) -> bool:
    """The current folder is always there: it is taken once it has the log."""
    folder = root / names.folder
    return (folder / names.log).exists() or (Path(names.folder) != Path() and folder.exists())


def _make(root: Path, own: Sequence[Pattern], *, exist_ok: bool) -> bool:
    """Whether nobody else made them in the meantime."""
    try:
        for names in own:
            (root / names.folder).mkdir(parents=True, exist_ok=exist_ok or Path(names.folder) == Path())
    except FileExistsError:
        return False
    except OSError as error:
        raise UserError(f"cannot make the folder {root / names.folder}: {error.strerror}") from None
    return True
