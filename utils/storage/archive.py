"""A data set that is one tar file in its bucket, as large ones are: each object costs a request.

Whoever made the archive, its files stay inside the folder, and what it may take is known before it is taken.
"""

from __future__ import annotations

import gzip
import math
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import size_text
from mindzoo.utils.log import aside, logger
from mindzoo.utils.progress import Work
from mindzoo.utils.storage.places import fault_of
from mindzoo.utils.storage.retry import reason

SUFFIXES = (".tar", ".tar.gz", ".tgz")
OTHERS = (".zip", ".7z", ".rar", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
UNPACKED = "unpacked"
GZIP = b"\x1f\x8b"
ON_DISK = 4096  # bytes that the smallest file takes there
# An archive unpacks to this much in any case, and to so many times its own size.
USUAL_BYTES, MOST_TIMES = 1_000_000_000, 200
MOST_MEMBERS = 20_000_000  # ImageNet's full set has 14 million images
LONGEST_READ = 1 << 20  # bytes at once; what is said of a single file is never longer


def single(names: Sequence[str]) -> str:
    """The archive among the names of what was copied, where that is all; empty where it is none.

    Raises:
        UserError: it is of a kind that is not unpacked.
    """
    seen = [name for name in names if not name.startswith(".")]
    if len(seen) != 1 or "/" in seen[0]:
        return ""
    if seen[0].lower().endswith(OTHERS):
        raise UserError(
            f"{seen[0]} is an archive of a kind that is not unpacked; wanted folders of images, or one of {', '.join(SUFFIXES)}"
        )
    return seen[0] if seen[0].endswith(SUFFIXES) else ""


def unpack(folder: Path, name: str) -> str:
    """Unpack the archive `name` in `folder`.

    Returns:
        Where the data are, as a path inside `folder`.

    Raises:
        UserError: it is damaged, holds what would be written elsewhere, or takes more room than there is or than an
            archive of its size should.
    """
    found, target, temporary = folder / name, folder / UNPACKED, folder / f".{UNPACKED}"
    aside("unpacking %s", found)
    for left in (temporary, target):  # of a job that died halfway
        shutil.rmtree(left, ignore_errors=True)
    try:
        with _reading(found) as reading, progress.of(f"unpack {name}", found.stat().st_size, progress.BYTES) as work:
            _extract(reading, temporary, work)
    except UserError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    except Exception as error:  # what a damaged header means to `tarfile` may raise anything
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(f"cannot unpack {found}: {reason(error)}") from None
    os.replace(temporary, target)
    inside = [path for path in target.iterdir() if not path.name.startswith(".")]
    return f"{UNPACKED}/{inside[0].name}" if len(inside) == 1 and inside[0].is_dir() else UNPACKED


@dataclass
class _Budget:
    """What an archive may still take."""

    archive: Path
    free: int  # bytes on the disk
    usual: int  # bytes that an archive of this size may unpack to
    taken: int = 0
    members: int = 0

    def take(self, count: int) -> None:
        """Count a file of so many bytes."""
        self.taken += -(-max(count, 1) // ON_DISK) * ON_DISK
        self.members += 1
        self.check(self.taken)

    def check(self, count: int) -> None:
        if count >= self.free:
            raise UserError(
                f"{self.archive} takes more than the {size_text(self.free)} that are free in {self.archive.parent}; make room"
            )
        if count > self.usual:
            raise UserError(
                f"{self.archive} unpacks to more than {size_text(self.usual)}, which no archive of images of its size does; "
                "unpack it yourself, and give the folder"
            )
        if self.members > MOST_MEMBERS:
            raise UserError(f"{self.archive} holds more than {MOST_MEMBERS:,} files; make several of it")


class _Reading:
    """What `tarfile` reads of an archive: never very much at once, and in all no more than its budget."""

    def __init__(self, raw: IO[bytes], file: IO[bytes], budget: _Budget, length: float = math.inf) -> None:
        self.raw, self.file, self.budget, self.length, self.last = raw, file, budget, length, b""

    def read(self, count: int) -> bytes:
        if not 0 <= count <= LONGEST_READ:
            raise OSError(f"it says {count:,} bytes of a single file, which is damaged")
        self.budget.check(self.file.tell())
        self.last = self.file.read(count)
        return self.last

    def seek(self, place: int) -> int:
        # Forward by reading, as a compressed file does too, but without a limit.
        while (ahead := place - self.file.tell()) > 0 and self.read(min(ahead, LONGEST_READ)):
            pass
        return self.file.tell() if ahead >= 0 else self.file.seek(place)

    def tell(self) -> int:
        return self.file.tell()


@contextmanager
def _reading(found: Path) -> Iterator[_Reading]:
    size = found.stat().st_size
    budget = _Budget(found, shutil.disk_usage(found.parent).free, max(USUAL_BYTES, MOST_TIMES * size))
    with open(found, "rb") as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        if not packed:
            yield _Reading(raw, raw, budget, size)
            return
        with gzip.GzipFile(fileobj=raw) as file:
            yield _Reading(raw, file, budget)  # type: ignore[arg-type]


def _extract(reading: _Reading, folder: Path, work: Work) -> None:
    """Unpack the folders and files of an archive; links that are more than a second name of a file are left out."""
    budget, left_out, place = reading.budget, 0, -1
    archive = tarfile.open(fileobj=reading, mode="r:")  # type: ignore[call-overload] # noqa: SIM115 - ours to close
    folder.mkdir()
    while (member := archive.next()) is not None:
        archive.members = []  # which would grow with the archive
        if member.size < 0 or archive.offset <= place:
            raise OSError("it is damaged: its files lie in each other")
        if archive.offset > reading.length:
            raise OSError("it is damaged, or ends too early")
        place = archive.offset
        work.advance(reading.raw.tell() - work.done)
        plain = member.isfile() and not member.issparse()
        budget.take(member.size if plain else 0)
        path = folder / _name(budget.archive, member.name)
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif plain:
            _write(archive, member, path)
        elif member.islnk() and (first := folder / _name(budget.archive, member.linkname)).is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(first, path)
        else:
            left_out += 1
    # What it does not understand `tarfile` takes for the end.
    if reading.last != bytes(tarfile.BLOCKSIZE):
        raise OSError("it is damaged, or ends too early")
    while reading.read(LONGEST_READ):  # to the end, where a compressed file has its checksum
        pass
    if left_out:
        logger.warning("left out of %s, entries that are links or no plain files: %s", budget.archive, f"{left_out:,}")


def _name(archive: Path, name: str) -> str:
    """The name of a member as a path below the folder; "." is the folder itself."""
    plain = PurePosixPath(name).as_posix()
    if fault := fault_of(plain) if plain != "." else "":
        raise UserError(f"{archive} holds a file whose name {fault}: {name}; pack it again without")
    return plain


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of two of a name the later one counts, and the earlier may have a second name
    with archive.extractfile(member) as content, open(path, "wb") as target:  # type: ignore[union-attr]
        shutil.copyfileobj(content, target, LONGEST_READ)
