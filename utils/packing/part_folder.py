"""The folder `OUT.part` of a pack that is being written: nothing of anybody else lies in it.

A run that goes on removes there what it has no use for, so a folder with other files is refused before it is touched.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mindzoo.utils.data.bad_images import LISTED
from mindzoo.utils.data.listing import PACK_INDEX, SPLITS
from mindzoo.utils.data.pack_files import RECORDS_INDEX, SHARD, TABLE
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import said_of
from mindzoo.utils.training import run_lock

SUFFIX = ".part"  # after the name of the pack
WRITING = "writing"  # the folder of the shard that is being written
MADE_OF = ".made_of"  # the fingerprint of a shard's images, see `ShardPlan`
PLAIN = "plain"  # a file of the usual permissions, beside the shard that is being written
SHARD_SUFFIXES = (SHARD, RECORDS_INDEX, TABLE, MADE_OF)  # the last one says that the shard is done

_ENDINGS = "|".join(map(re.escape, SHARD_SUFFIXES))
_TEMPORARY = rf"\.(?:\d{{5}}|{Path(PACK_INDEX).stem}|{Path(LISTED).stem})\.\d+\.tmp\.\w+"  # see `whole_file`
_OF_PACK = re.compile(
    rf"\d{{5}}(?:{_ENDINGS})|{'|'.join(map(re.escape, (PACK_INDEX, LISTED, run_lock.NAME)))}|{_TEMPORARY}"
)
_OF_WRITING = re.compile(rf"\d{{5}}{re.escape(SHARD)}.*|{PLAIN}")  # SQLite has files beside that of its name
_SPLIT_NAMES = frozenset(name for spellings in SPLITS.values() for name in spellings)


def check(part: Path) -> None:
    """Refuse a folder that holds anything but a pack that was begun; one that is missing is fine.

    Raises:
        UserError: names the first file or folder that `mindzoo pack` did not write.
    """
    first = next(_foreign(part, frozenset((WRITING, *_SPLIT_NAMES)), _OF_PACK), None)
    if first:
        raise UserError(
            f"{part} holds {first.relative_to(part)}, which is not of a pack that was begun; this folder is used "
            "while OUT is written: move it away, or give another OUT"
        )


@contextmanager
def held(part: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is missing, while the block runs.

    After an error it stays where a shard is done, for the next run to go on with; else it is gone, with the folders above it
    that were made for it.

    Raises:
        UserError: it cannot be made, or another process holds it.
    """
    missing = [folder for folder in (part, *part.parents) if not folder.exists()]
    try:
        with said_of(part):
            part.mkdir(parents=True, exist_ok=True)
        with run_lock.holding(part):
            try:
                yield
            except BaseException:
                if not any(part.rglob(f"*{MADE_OF}")):
                    _empty(part)
                raise
    except BaseException:
        for folder in missing or (part,):
            with suppress(OSError):  # one with a shard, or with something of another process
                folder.rmdir()
        raise


def _empty(part: Path) -> None:
    for entry in part.iterdir():
        if entry.name == run_lock.NAME:
            continue
        with suppress(OSError):  # what went wrong before is what is said
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _foreign(folder: Path, folders: frozenset[str], files: re.Pattern[str]) -> Iterator[Path]:
    """What lies in `folder` and is none of these, in the order of the names; links are nobody's that we know."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # missing, or removed by another run; what else there is, is said when it is written to
        return
    for name in names:
        path = folder / name
        if path.is_symlink() or not (name in folders if path.is_dir() else files.fullmatch(name)):
            yield path
        elif name == WRITING:
            yield from _foreign(path, frozenset(), _OF_WRITING)
        elif name in folders:
            yield from _foreign(path, frozenset((WRITING,)), _OF_PACK)
