"""The folders of a job's ranks: where the original scripts made theirs, or beside them in one that was not there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.errors import UserError


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


def create(base: Path, pattern: Pattern, ranks: Sequence[int], *, go_on: bool) -> Path:
    """Make the ranks' folders in `base`, or in `base/run_2`, `run_3` and so on where the first exist; returns which.

    With `go_on` the newest one in which the first rank has checkpoints is taken as it is, where there is any.

    Raises:
        UserError: they cannot be made.
    """
    own = [pattern.of(rank) for rank in ranks]
    if len({(names.folder, names.log) for names in own}) < len(own):
        raise UserError(f"rank_folder is {pattern.folder} for {len(own)} ranks; put {{rank}} into it")
    earlier = list(itertools.takewhile(lambda root: _is_taken(root, own[0]), _numbered(base)))
    if go_on:
        for root in reversed(earlier):
            if next((root / own[0].folder).rglob("*.ckpt"), None):
                _make(root, own, exist_ok=True)
                return root
    for root in _numbered(base):
        if not any(_is_taken(root, names) for names in own) and _make(root, own, exist_ok=False):
            return root
    raise AssertionError("there is always one more number")


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


def _numbered(base: Path) -> itertools.chain[Path]:
    return itertools.chain([base], (base / f"run_{number}" for number in itertools.count(2)))


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
