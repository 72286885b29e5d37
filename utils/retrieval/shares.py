"""The ranks of a job make one file of vectors: each embeds whole batches, and their vectors are put in order at the end.

So every batch holds the images that it holds with one rank, and the file gets the bytes that one rank would write. Until the
end the vectors of a rank are in the folder `F.npy.ranks`, which all ranks can see; a job that was stopped goes on with as many
ranks from there.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import ranks
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import sha256
from mindzoo.utils.retrieval import vectors
from mindzoo.utils.retrieval.encoder import Encoded
from mindzoo.utils.retrieval.facts import read_facts
from mindzoo.utils.retrieval.rows import read_rows
from mindzoo.utils.retrieval.writer import LIST, PART, VectorWriter, listed
from mindzoo.utils.runtime import World

RANKS = ".ranks"


class ShareWriter(VectorWriter):
    """The growing files of one rank's share, which stay as they are until they are put together.

    Args:
        target: the file that the ranks make.
        begin: how many images of the list an earlier run had embedded.
        digest: of the list; another one makes an earlier share worthless.
    """

    needs_images = False  # there may be more ranks than batches

    def __init__(self, target: Path, facts: Mapping[str, Any], world: World, begin: int, digest: str) -> None:
        names = _names(target.with_name(target.name + PART))
        own = share(itertools.islice(names, begin, None), world.rank, world.size, facts["batch_size"])
        about = {**facts, "share": [begin, world.rank, world.size], "list": digest}
        super().__init__(_share_path(target, world.rank), about, own, overwrite=True)

    def finish(self) -> None:
        """Bring everything to the disk."""
        self.save()


def begin_together(target: Path, writer: VectorWriter | None, world: World) -> tuple[int, str]:
    """What `ShareWriter` needs to know of the list, from rank 0, which has the `writer` of the whole file."""

    def begin() -> tuple[int, str]:
        if writer is None:
            raise TypeError("rank 0 has the writer")
        _folder(target).mkdir(exist_ok=True)
        return writer.progress.done, "" if writer.progress.finished else sha256(writer.part / LIST)

    done, digest = ranks.first(world, begin)
    return done, digest


def put_together(target: Path, writer: VectorWriter, size: int, batch_size: int) -> None:
    """Write what `size` ranks have embedded behind what `writer` has, and complete the file.

    Raises:
        UserError: a share is damaged, or see `VectorWriter`.
    """
    shares = [_Share(target, rank) for rank in range(size)]
    remaining = writer.remaining() if not writer.progress.finished else iter(())
    for number in itertools.count():
        paths = [*itertools.islice(remaining, batch_size)]
        if not paths:
            break
        writer.add(shares[number % size].batch(paths, writer.root))
    try:
        writer.finish()
    finally:
        if not writer.part.exists():  # it is done, or not one image could be read
            shutil.rmtree(_folder(target), ignore_errors=True)


def share(names: Iterable[str], rank: int, size: int, batch_size: int) -> Iterator[str]:
    """The names of every `size`-th batch, from batch `rank` on."""
    return (name for place, name in enumerate(names) if place // batch_size % size == rank)


class _Share:
    """What a rank has embedded, batch after batch."""

    def __init__(self, target: Path, rank: int) -> None:
        self.folder = _folder(target)
        part = _share_path(target, rank).with_name(f"{rank}{PART}")
        self.dimension: int = read_facts(part / "progress.json")["dimension"]
        self.images = self._images(part)

    def batch(self, paths: list[Path], root: Path) -> Encoded:
        """The next images, which are those of `paths`, below `root`.

        Raises:
            UserError: they are others.
        """
        found = [*itertools.islice(self.images, len(paths))]
        if [root / name for name, _ in found] != paths:
            raise self._damaged()
        rows = [(path, row) for path, (_, row) in zip(paths, found, strict=True) if not isinstance(row, str)]
        bad = [(path, reason) for path, (_, reason) in zip(paths, found, strict=True) if isinstance(reason, str)]
        vectors_of = np.array([row for _, row in rows], np.float32).reshape(-1, self.dimension)
        return Encoded([path for path, _ in rows], vectors_of, bad)

    def _images(self, part: Path) -> Iterator[tuple[str, np.ndarray | str]]:
        """Each with its vector, or why it cannot be read."""
        unreadable = read_rows(part / "unreadable.jsonl", names=("path", "reason"))
        bad = next(unreadable, None)
        with open(part / "vectors.npy", "rb") as file:
            file.seek(len(vectors.header(0, self.dimension)))
            for name in _names(part):
                if bad and bad["path"] == name:
                    yield name, bad["reason"]
                    bad = next(unreadable, None)
                else:
                    row = file.read(4 * self.dimension)
                    if len(row) < 4 * self.dimension:
                        raise self._damaged()
                    yield name, np.frombuffer(row, "<f4")

    def _damaged(self) -> UserError:
        return UserError(f"{self.folder} is damaged; remove it, and the same command begins anew")


def _names(part: Path) -> Iterator[str]:
    with open(part / LIST, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            yield listed(line, part)


def _folder(target: Path) -> Path:
    return target.with_name(target.name + RANKS)


def _share_path(target: Path, rank: int) -> Path:
    return _folder(target) / str(rank)
