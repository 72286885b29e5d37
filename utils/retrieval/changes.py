"""Images are added to an index, or removed from it; a process that dies meanwhile leaves the index as it was.

The files of a change lie beside the old ones, under names of their own, until `index.json` is replaced, which names them
by its `edition`. Only then are the old ones removed; what a killed process left goes with the next change. Any kind of index
is built anew of the vectors that are kept and those that are new, as `mindzoo index` would: no graph and no cells remember
what was removed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.files import said_of, write_json
from mindzoo.utils.log import logger
from mindzoo.utils.retrieval import ann, search
from mindzoo.utils.retrieval.facts import read_facts
from mindzoo.utils.retrieval.index import (
    AGAIN,
    ROWS,
    Index,
    facts_path,
    named,
    open_index,
    prepared_blocks,
    write_array,
)
from mindzoo.utils.retrieval.keys import IndexAddConfig, IndexRemoveConfig
from mindzoo.utils.retrieval.rows import check_root, leads_out, line_of, read_rows
from mindzoo.utils.retrieval.vectors import Vectors, check_same_source, open_vectors
from mindzoo.utils.training import run_lock

PARTS = ("images.jsonl", "vectors.npy", "index.faiss")
LEFT = re.compile(r"(images|vectors|index)(\.[0-9]+)?\.(jsonl|npy|faiss)|\.index\.[0-9]+\.tmp\.json")
MOST_BYTES = 1 << 30  # of a list of names


def add(config: IndexAddConfig) -> Index:
    """Add the images of a file of vectors behind those of an index.

    Raises:
        UserError: the vectors are of another network, checkpoint or preprocessing, their images lie elsewhere or are in
            the index already; or the index is being changed, or cannot be written.
    """
    source = Path(config.vectors[0])
    found = open_vectors(source)
    check_root(config.images_root)
    with _held(config.index) as index:
        check_same_source(index.facts["vectors"], found.facts, str(source), f"the index {index.folder}")
        root = config.images_root or index.facts["vectors"]["images"]
        rows = _named_below(root, found, source)
        new, old = {row["path"] for row in rows}, _names(index)
        keep = np.array([name not in new for name in old])
        twice = len(old) - int(keep.sum())
        if twice and not config.replace:
            first = shorten(name for name, kept in zip(old, keep, strict=True) if not kept)
            raise UserError(
                f"{index.folder} has {counted(twice, 'image')} already: {first}; --replace takes the new ones"
            )
        changed = _changed(index, keep, rows, found, _seen_from_index(index, config.images_root))
        replaced = f" in place of {twice}" if twice else ""
        _say(changed, f"added {counted(len(rows), 'image')} of {found.facts['images']} to {index.folder}{replaced}")
        if config.images_root:
            _say_elsewhere(root, [name for name, kept in zip(old, keep, strict=True) if kept])
        return changed


def remove(config: IndexRemoveConfig) -> Index:
    """Remove images from an index.

    Raises:
        UserError: one of the names is not in the index, or all are; or the index is being changed, or cannot be written.
    """
    if not config.images and not config.names:
        raise UserError("no image is given; wanted their paths as mindzoo query names them, or --names FILE")
    listed = _listed(Path(config.names)) if config.names else []
    with _held(config.index) as index:
        old = _names(index)
        gone = _chosen(index, old, config.images, listed)
        keep = np.array([name not in gone for name in old])
        if not keep.any():
            raise UserError(
                f"{index.folder} would be empty; an index has at least one image: remove the folder instead"
            )
        changed = _changed(index, keep, [], None, _seen_from_index(index))
        _say(changed, f"removed {counted(len(old) - int(keep.sum()), 'image')} from {index.folder}")
        return changed


@contextmanager
def _held(folder: str) -> Iterator[Index]:
    """The index, which no other process changes meanwhile.

    Raises:
        UserError: another one does, or see `open_index`.
    """
    if not folder:
        raise UserError("index is not given; wanted a folder that mindzoo index wrote: --index FOLDER")
    path = Path(folder)
    facts_path(path)  # a lock is a file, which nobody wants in what is no index
    with run_lock.holding(path):
        yield open_index(path)


def _names(index: Index) -> list[str]:
    return [row["path"] for row in read_rows(index.path("images.jsonl"))]


def _seen_from_index(index: Index, root: str = "") -> str:
    """The folder of its images, or `root` where that is given, seen from the index: no path of this machine."""
    if root:  # the index may be given by a link
        return os.path.relpath(os.path.realpath(root), os.path.realpath(index.folder))
    return os.path.relpath(index.facts["vectors"]["images"], index.folder)


def _named_below(root: str, found: Vectors, source: Path) -> list[dict[str, str]]:
    """The images of the vectors as the index names them: below `root`.

    Raises:
        UserError: they do not lie there.
    """
    top, own = os.path.realpath(root), os.path.realpath(found.facts.get("images", ""))
    if not Path(own).is_relative_to(top):
        raise UserError(
            f"the images of {source} lie in {own}, and those of the index below {top}; put them there and embed them again, or "
            "say with --images_root where the index's images are now"
        )
    below = PurePosixPath(Path(own).relative_to(top).as_posix())
    if below == PurePosixPath():
        return list(found.images())
    return [{"path": str(below / row["path"]), "folder": str(below / row["folder"])} for row in found.images()]


def _say_elsewhere(root: str, names: Sequence[str]) -> None:
    """Say how many of the images that an index had are not below the folder that is given for all of them."""
    missing = [name for name in names if leads_out(name) or not Path(root, name).exists()]
    if missing:
        logger.warning(
            "%d of the %s that the index had are not below %s, which it names now for all of them: %s",
            len(missing), counted(len(names), "image"), root, shorten(missing, 3),
        )  # fmt: skip


def _listed(path: Path) -> list[str]:
    """The names in a file, one a line.

    Raises:
        UserError: it cannot be read, or holds none.
    """
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise UserError(f"names is {path}, which is no file of names, or is missing; wanted one name a line")
        lines = path.read_bytes().decode("utf-8-sig", "surrogateescape").split("\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    found = [name for line in lines if (name := line.removesuffix("\r"))]
    if not found:
        raise UserError(f"names is {path}, which is empty; wanted one name a line")
    return found


def _chosen(index: Index, names: Sequence[str], words: Sequence[str], listed: Collection[str]) -> set[str]:
    """The names that are meant.

    Raises:
        UserError: a word or a listed name means none.
    """
    known = set(names)
    missing = [name for name in listed if name not in known]
    gone = set(listed)
    for word in words:
        found = {word} if word in known else {name for name in known if _is_meant(word, name)}
        gone |= found
        missing += [] if found else [word]
    if missing:
        raise UserError(
            f"{index.folder} has no image called {shorten(missing)}; wanted paths as mindzoo query names them, and nothing was "
            "removed"
        )
    return gone


def _is_meant(word: str, name: str) -> bool:
    """Whether the image lies in what the word means, or is it: part by part, so that * ends where a folder does."""
    wanted, had = word.rstrip("/").split("/"), name.split("/")
    return len(wanted) <= len(had) and all(
        one == other or fnmatchcase(one, other) for one, other in zip(had, wanted, strict=False)
    )


def _changed(index: Index, keep: np.ndarray, rows: list[dict[str, str]], found: Vectors | None, images: str) -> Index:
    """Write the index with the rows that are kept and then those of `found`, and open it.

    Args:
        keep: (N,) bool, of the rows that the index has.
        rows: {"path", "folder"} of the vectors in `found`.
        images: the folder that they lie below, seen from the index.
    """
    folder, kind, count = index.folder, index.facts["kind"], int(keep.sum()) + len(rows)
    about = {**index.facts["vectors"], "count": count, "images": images}
    facts = {**index.facts, "edition": index.facts.get("edition", 0) + 1, "vectors": about}
    with said_of(folder), _tidied(folder, index.facts):
        blocks = itertools.chain(_kept(index, keep), prepared_blocks(found, index.whitening) if found else ())
        path = folder / named("vectors.npy", facts)
        array = write_array(path, (count, facts["dimension"]), blocks)
        if kind != "exact":
            built = folder / named("index.faiss", facts)
            ann.build(kind, array, built, **ann.made_with(kind, index.content, count))
            path.unlink()
            facts["checksum"] = ann.checksum(built)
        _write_lines(index.path("images.jsonl"), keep, rows, folder / named("images.jsonl", facts))
        for name in PARTS:
            _to_disk(folder / named(name, facts))
        write_json(folder / "index.json", facts)
    return open_index(folder)


@contextmanager
def _tidied(folder: Path, facts: dict[str, Any]) -> Iterator[None]:
    """Remove what no `index.json` names: before the block what a killed process left, afterwards what the block made so."""
    _tidy(folder, facts)
    try:
        yield
    finally:
        _tidy(folder, read_facts(folder / "index.json"))


def _tidy(folder: Path, facts: dict[str, Any]) -> None:
    own = {named(name, facts) for name in PARTS}
    for path in list(folder.iterdir()):
        if LEFT.fullmatch(path.name) and path.name not in own:
            path.unlink()


def _kept(index: Index, keep: np.ndarray) -> Iterator[np.ndarray]:
    """The vectors of the index that are kept, in blocks.

    Raises:
        UserError: one is not finite.
    """
    for some in search.blocks(len(keep), ROWS):
        block = index.vectors(some)[keep[some]]
        if not np.isfinite(block).all():
            raise UserError(f"{index.folder} holds vectors that are not finite; {AGAIN}")
        yield block


def _write_lines(source: Path, keep: np.ndarray, rows: list[dict[str, str]], target: Path) -> None:
    """The lines of the images that are kept, byte by byte, and those of new ones."""
    with open(source, "rb") as old, open(target, "wb") as new:
        new.writelines(itertools.compress(old, keep))
        new.writelines(map(line_of, rows))


def _to_disk(path: Path) -> None:
    if path.exists():
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def _say(index: Index, done: str) -> None:
    logger.info("%s: %s, kind %s", done, counted(index.facts["vectors"]["count"], "image"), index.facts["kind"])
