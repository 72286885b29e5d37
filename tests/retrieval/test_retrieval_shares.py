"""Vectors that several ranks have embedded are put together to the bytes that one rank writes."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import FACTS
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import shares
from mindzoo.utils.retrieval.encoder import Encoded
from mindzoo.utils.retrieval.shares import ShareWriter, begin_together, put_together
from mindzoo.utils.retrieval.writer import VectorWriter
from mindzoo.utils.runtime import World

BATCH = 3
NAMES = [f"{'abc'[number % 3]}/{number:02}.png" for number in range(17)] + ["ü\udcff \n.png", "d/e/f.png"]
BAD = {NAMES[1], NAMES[3], NAMES[4], NAMES[5], NAMES[-1]}  # a whole batch too
Stop = Callable[[int], bool]


def facts(root: Path) -> dict[str, Any]:
    return {**FACTS, "images": str(root), "batch_size": BATCH}


def encode(paths: Iterable[Path], root: Path) -> Iterator[Encoded]:
    """Vectors that depend on the image, its place in the batch and the others in it."""
    remaining = list(paths)
    for begin in range(0, len(remaining), BATCH):
        batch = remaining[begin : begin + BATCH]
        seed = zlib.crc32("|".join(map(str, batch)).encode("utf-8", "surrogateescape"))
        rows = np.random.default_rng(seed).normal(size=(BATCH, 4)).astype(np.float32)
        good = [place for place, path in enumerate(batch) if str(path.relative_to(root)) not in BAD]
        bad = [(path, "is empty") for place, path in enumerate(batch) if place not in good]
        yield Encoded([batch[place] for place in good], rows[good], bad)


def alone(target: Path, root: Path, batches: int = 99) -> None:
    """The run of one rank, which may end early."""
    writer = VectorWriter(target, facts(root), NAMES, overwrite=False)
    for number, batch in enumerate(encode(writer.remaining(), root)):
        if number == batches:
            writer.save()
            writer.close()
            return
        writer.add(batch)
    writer.finish()
    writer.close()


def together(target: Path, root: Path, size: int, stop: Stop = lambda rank: False) -> list[int]:
    """The run of several ranks, one after the other; those to stop do so after a batch. How many images each embedded."""
    writer = VectorWriter(target, facts(root), NAMES, overwrite=False)
    begin, digest = begin_together(target, writer, World())
    done = []
    for rank in range(size):
        share = ShareWriter(target, facts(root), World(rank, size), begin, digest)
        done.append(0)
        for batch in encode(share.remaining(), root):
            share.add(batch)
            done[-1] += len(batch)
            if stop(rank):
                break
        share.finish()
        share.close()
    if not any(map(stop, range(size))):
        put_together(target, writer, size, BATCH)
    writer.close()
    return done


def everything(target: Path) -> list[bytes]:
    return [target.with_name(target.name + suffix).read_bytes() for suffix in ("", ".json", ".jsonl")]


@pytest.fixture
def wanted(tmp_path: Path) -> list[bytes]:
    (tmp_path / "wanted").mkdir()
    alone(tmp_path / "wanted" / "v.npy", tmp_path)
    return everything(tmp_path / "wanted" / "v.npy")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_every_number_of_ranks_gives_the_same_bytes(wanted: list[bytes], tmp_path: Path, size: int) -> None:
    """Seven batches; each image once."""
    assert sum(together(tmp_path / "v.npy", tmp_path, size)) == len(NAMES)
    assert everything(tmp_path / "v.npy") == wanted
    assert sorted(path.name for path in tmp_path.glob("v.npy*")) == ["v.npy", "v.npy.json", "v.npy.jsonl"]


def test_what_was_stopped_goes_on(wanted: list[bytes], tmp_path: Path) -> None:
    """With as many ranks nothing is embedded twice; with others what the ranks had is."""
    target = tmp_path / "v.npy"
    assert together(target, tmp_path, 2, lambda rank: rank == 1) == [10, 3]
    assert not target.exists()
    shutil.copytree(tmp_path, tmp_path / "copy", ignore=shutil.ignore_patterns("copy"))
    assert together(target, tmp_path, 2) == [0, 6]
    assert everything(target) == wanted
    for path in tmp_path.glob("v.npy*"):
        path.unlink()
    for name in ("v.npy.part", "v.npy.ranks"):
        shutil.move(tmp_path / "copy" / name, tmp_path / name)
    assert sum(together(target, tmp_path, 3)) == len(NAMES)
    assert everything(target) == wanted


def test_ranks_go_on_with_what_one_has_begun(wanted: list[bytes], tmp_path: Path) -> None:
    target = tmp_path / "v.npy"
    alone(target, tmp_path, batches=2)
    assert sum(together(target, tmp_path, 2)) == len(NAMES) - 2 * BATCH
    assert everything(target) == wanted


def test_a_share_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "v.npy"
    together(target, tmp_path, 2, lambda rank: True)
    writer = VectorWriter(target, facts(tmp_path), NAMES, overwrite=False)
    with pytest.raises(UserError, match=r"v\.npy\.ranks is damaged"):
        put_together(target, writer, 2, BATCH)


def test_shares_are_whole_batches() -> None:
    names = [f"{number}" for number in range(11)]
    assert [[*shares.share(names, rank, 2, 3)] for rank in (0, 1)] == [
        ["0", "1", "2", "6", "7", "8"],
        ["3", "4", "5", "9", "10"],
    ]
