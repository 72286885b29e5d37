"""An index: a folder that holds everything needed to search, and can be moved.

`index.json` says what the vectors are of and which kind of index it is, `images.jsonl` names the image of every row,
`vectors.npy` (kind exact) or `index.faiss` holds the vectors, of length 1, and `whitening.npz` what was applied. After
the second change these files are called `images.2.jsonl` and so on, see `changes`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_folder_of, new_folder, said_of, write_json
from mindzoo.utils.log import logger
from mindzoo.utils.retrieval import ann, search, whitening
from mindzoo.utils.retrieval import vectors as files
from mindzoo.utils.retrieval.facts import LARGEST, check_facts, read_facts
from mindzoo.utils.retrieval.keys import KINDS, IndexConfig
from mindzoo.utils.retrieval.rows import check_count, read_rows
from mindzoo.utils.retrieval.whitening import VectorWhitening

ROWS = 8192
AGAIN = "make the index again"
CANCELLED = 1e-6  # the length of a mean of which only rounding is left


@dataclass(frozen=True)
class Index:
    """An index that is open. `content`: the vectors, or faiss' index."""

    folder: Path
    facts: dict[str, Any]
    whitening: VectorWhitening | None
    content: Any

    def search(
        self, queries: np.ndarray, top_k: int, effort: int = 0, *, together: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest images of vectors as the network gives them, by cosine.

        Args:
            queries: (Q, D) float32; they are whitened as the index is, and divided by their lengths.
            effort: of an approximate index; 0: its own.
            together: the queries are one question, see `as_one`.

        Returns:
            Scores (Q, K) float32 and rows (Q, K) int64, best first, Q = 1 together; row -1 where an approximate index
            found fewer.

        Raises:
            UserError: the queries have another dimension than the vectors or cancel each other out, or the vectors are
                not finite.
        """
        if queries.shape[1] != self.facts["vectors"]["dimension"]:
            raise UserError(
                f"{self.folder} is of vectors of {self.facts['vectors']['dimension']} numbers, and the network gives "
                f"{queries.shape[1]}; {AGAIN}"
            )
        prepared = self.whitening.apply(queries) if self.whitening else search.normalised(queries)
        if together:
            prepared = as_one(prepared)
        if self.facts["kind"] != "exact":
            return ann.search(self.facts["kind"], self.content, prepared, top_k, effort)
        try:
            return search.search(self.content, prepared, top_k)
        except search.NotFiniteError:
            raise UserError(f"{self.folder} holds vectors that are not finite; {AGAIN}") from None

    def images(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """{"path", "folder"} of these rows.

        Raises:
            UserError: the file of names is damaged, or gone since the index was changed.
        """
        wanted, lines = sorted({int(row) for row in rows if row >= 0}), self.path("images.jsonl")
        try:
            found = dict(zip(wanted, read_rows(lines, set(wanted)), strict=False))
        except UserError:
            if lines.exists():
                raise
            raise UserError(f"{self.folder} was changed while it was searched; search again") from None
        if len(found) < len(wanted):
            raise UserError(f"{lines} has fewer lines than there are vectors; {AGAIN}")
        return found

    def path(self, name: str) -> Path:
        """The file that is called so in an index that was never changed."""
        return self.folder / named(name, self.facts)

    def vectors(self, some: slice) -> np.ndarray:
        """Some of its vectors, as they are searched: (N, K) float32 of length 1."""
        if self.facts["kind"] == "exact":
            return np.asarray(self.content[some])
        return ann.vectors_of(self.facts["kind"], self.content, some)


def as_one(prepared: np.ndarray) -> np.ndarray:
    """Several questions as one: the mean of their vectors, (Q, K) float32 of length 1 -> (1, K) of length 1.

    The mean is taken of what is compared, after whitening, when every vector has length 1. So each picture counts the same,
    and the answers are in the order of their mean cosine with the pictures.

    Raises:
        UserError: the mean is nothing.
    """
    mean = prepared.mean(axis=0, dtype=np.float64, keepdims=True)
    if np.linalg.norm(mean) < CANCELLED:
        raise UserError(
            "the vectors of the pictures cancel each other out; ask without --together, or with other pictures"
        )
    return search.normalised(mean)


def named(name: str, facts: dict[str, Any]) -> str:
    """'vectors.2.npy' for 'vectors.npy' after the second change of the index."""
    stem, suffix = name.split(".")
    return f"{stem}.{facts['edition']}.{suffix}" if facts.get("edition") else name


def build(config: IndexConfig) -> Index:
    """Make an index of a file of vectors.

    Raises:
        UserError: a file cannot be read or written, the whitening is of other vectors, or faiss is needed and absent.
    """
    source, target = Path(config.vectors[0]), _target(config)
    if config.kind != "exact":
        ann.library(config.kind)
    found = files.open_vectors(source)
    applied = whitening.fitting(config.whitening, found.facts, str(source))
    with said_of(target), new_folder(target) as unfinished:
        _write(config, found, applied, unfinished)
    index = open_index(target)
    size = sum(file.stat().st_size for file in target.iterdir())
    logger.info("wrote %s: kind %s, %d vectors of %d numbers, %.1f MB", target, config.kind, *_shape(index), size / 1e6)
    return index


def open_index(folder: Path) -> Index:
    """Open an index; of kind exact the vectors are mapped into memory, others are read.

    Raises:
        UserError: missing, damaged, or faiss is needed and absent.
    """
    path = facts_path(folder)
    while True:
        facts = read_facts(path)
        _check(path, facts)
        try:
            return _opened(folder, facts)
        except (UserError, OSError):
            if read_facts(path).get("edition") == facts.get("edition"):
                raise  # else it was changed meanwhile, and other files hold it


def facts_path(folder: Path) -> Path:
    """Of an index.

    Raises:
        UserError: the folder is none, or is missing.
    """
    path = folder / "index.json"
    if not path.is_file():
        found = "no index" if folder.is_dir() else "no folder"
        raise UserError(f"index is {folder}, which is {found}; wanted a folder that mindzoo index wrote")
    return path


def _opened(folder: Path, facts: dict[str, Any]) -> Index:
    shape = (facts["vectors"]["count"], facts["dimension"])
    content: Any
    if facts["kind"] == "exact":
        content = files.load_array(folder / named("vectors.npy", facts))
        if content.shape != shape:
            held, wanted = ("x".join(map(str, sides)) for sides in (content.shape, shape))
            raise UserError(f"{folder} holds {held} numbers, and index.json says {wanted}; {AGAIN}")
    else:
        content = ann.read_index(facts["kind"], folder / named("index.faiss", facts), facts["checksum"], shape)
    check_count(folder / named("images.jsonl", facts), facts["vectors"]["count"])
    applied = whitening.read_whitening(folder / "whitening.npz") if facts["whitening"] else None
    dimensions = (applied.facts["dimension"], applied.dimension) if applied else (facts["dimension"],) * 2
    if dimensions != (facts["vectors"]["dimension"], facts["dimension"]):
        raise UserError(f"{folder / 'index.json'} does not fit the whitening and the vectors beside it; {AGAIN}")
    # An index of before has an absolute path, which stays as it is.
    facts["vectors"]["images"] = str(folder / facts["vectors"]["images"])
    return Index(folder, facts, applied, content)


def _check(path: Path, facts: dict[str, Any]) -> None:
    """Refuse what no index says of itself."""
    if facts.get("kind") not in KINDS:
        raise UserError(f"{path} says kind {facts.get('kind')}; wanted one of {', '.join(KINDS)}: {AGAIN}")
    kinds = {"dimension": int, "whitening": bool, **({} if facts["kind"] == "exact" else {"checksum": int})}
    for name, kind in kinds.items():
        if type(facts.get(name)) is not kind:
            raise UserError(f"{path} says {name} {facts.get(name)}, or is of an earlier version; {AGAIN}")
    if type(facts.get("edition", 0)) is not int or not 0 <= facts.get("edition", 0) <= LARGEST:
        raise UserError(f"{path} says edition {facts['edition']}; {AGAIN}")
    check_facts(path, facts.get("vectors"))
    if "images" not in facts["vectors"]:
        raise UserError(f"{path} does not say where the images lie; {AGAIN}")


def prepare(vectors: files.Vectors, applied: VectorWhitening | None, path: Path) -> np.ndarray:
    """Write the vectors, whitened and divided by their lengths, as a .npy file, and map it: (N, K) float32.

    Raises:
        OSError: there is no room for it.
        UserError: a vector is not finite.
    """
    count, length = vectors.array.shape
    shape = (count, applied.dimension if applied else length)
    return write_array(path, shape, prepared_blocks(vectors, applied))


def prepared_blocks(vectors: files.Vectors, applied: VectorWhitening | None) -> Iterator[np.ndarray]:
    """The vectors, whitened and divided by their lengths, in blocks.

    Raises:
        UserError: a vector is not finite.
    """
    for some in search.blocks(len(vectors.array), ROWS):
        found = vectors.rows(some)
        yield applied.apply(found) if applied else search.normalised(found)


def write_array(path: Path, shape: tuple[int, int], blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Write blocks of vectors, of this shape together, as a .npy file, and map it.

    Raises:
        OSError: there is no room for it.
    """
    # A disk that is full while a mapped file is written would end the process without a word.
    with open(path, "wb") as file, progress.of("prepare vectors", shape[0], "vectors") as work:
        file.write(files.header(*shape))
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
            work.advance(len(block))
    return files.load_array(path)


def _write(config: IndexConfig, found: files.Vectors, applied: VectorWhitening | None, folder: Path) -> None:
    for _ in found.images():  # which looks at each of them
        pass
    prepared = prepare(found, applied, folder / "vectors.npy")
    content = {"kind": config.kind, "dimension": prepared.shape[1], "whitening": bool(applied)}
    if config.kind != "exact":
        path = folder / "index.faiss"
        ann.build(config.kind, prepared, path, lists=config.lists, links=config.links)
        (folder / "vectors.npy").unlink()
        content["checksum"] = ann.checksum(path)
    shutil.copyfile(found.lines, folder / "images.jsonl")
    if applied:
        applied.save(folder / "whitening.npz")
    facts = {name: value for name, value in found.facts.items() if name != "unreadable"}
    # Seen from the index, whose place `folder` is beside: no path of this machine, and both can be moved together.
    facts["images"] = os.path.relpath(facts["images"], folder)
    write_json(folder / "index.json", {**content, "vectors": facts})


def _shape(index: Index) -> tuple[int, int]:
    return index.facts["vectors"]["count"], index.facts["dimension"]


def _target(config: IndexConfig) -> Path:
    if not config.output:
        raise UserError("output is not given; wanted the folder to write: --output FOLDER")
    target = Path(config.output)
    check_folder_of("output", target)
    if target.exists():
        raise UserError(f"{target} exists; give another output, or remove it")
    return target.resolve()
