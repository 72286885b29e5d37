"""An index: a folder that holds everything needed to search, and can be moved.

`index.json` says what the vectors are of and which kind of index it is, `images.jsonl` names the image of every row,
`vectors.npy` (kind exact) or `index.faiss` holds the vectors, of length 1, and `whitening.npz` what was applied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
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
from mindzoo.utils.retrieval.facts import check_facts, read_facts
from mindzoo.utils.retrieval.keys import KINDS, IndexConfig
from mindzoo.utils.retrieval.rows import check_count, read_rows
from mindzoo.utils.retrieval.whitening import VectorWhitening

ROWS = 8192
AGAIN = "make the index again"


@dataclass(frozen=True)
class Index:
    """An index that is open. `content`: the vectors, or faiss' index."""

    folder: Path
    facts: dict[str, Any]
    whitening: VectorWhitening | None
    content: Any

    def search(self, queries: np.ndarray, top_k: int, effort: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The nearest images of vectors as the network gives them, by cosine.

        Args:
            queries: (Q, D) float32; they are whitened as the index is, and divided by their lengths.
            effort: of an approximate index; 0: its own.

        Returns:
            Scores (Q, K) float32 and rows (Q, K) int64, best first; row -1 where an approximate index found fewer.

        Raises:
            UserError: the queries have another dimension than the vectors, or these are not finite.
        """
        if queries.shape[1] != self.facts["vectors"]["dimension"]:
            raise UserError(
                f"{self.folder} is of vectors of {self.facts['vectors']['dimension']} numbers, and the network gives "
                f"{queries.shape[1]}; {AGAIN}"
            )
        prepared = self.whitening.apply(queries) if self.whitening else search.normalised(queries)
        if self.facts["kind"] != "exact":
            return ann.search(self.facts["kind"], self.content, prepared, top_k, effort)
        try:
            return search.search(self.content, prepared, top_k)
        except search.NotFiniteError:
            raise UserError(f"{self.folder} holds vectors that are not finite; {AGAIN}") from None

    def images(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """{"path", "folder"} of these rows.

        Raises:
            UserError: the file of names is damaged.
        """
        wanted, lines = sorted({int(row) for row in rows if row >= 0}), self.folder / "images.jsonl"
        found = dict(zip(wanted, read_rows(lines, set(wanted)), strict=False))
        if len(found) < len(wanted):
            raise UserError(f"{lines} has fewer lines than there are vectors; {AGAIN}")
        return found


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
    path = folder / "index.json"
    if not path.is_file():
        found = "no index" if folder.is_dir() else "no folder"
        raise UserError(f"index is {folder}, which is {found}; wanted a folder that mindzoo index wrote")
    facts = read_facts(path)
    _check(path, facts)
    shape = (facts["vectors"]["count"], facts["dimension"])
    content: Any
    if facts["kind"] == "exact":
        content = files.load_array(folder / "vectors.npy")
        if content.shape != shape:
            held, wanted = ("x".join(map(str, sides)) for sides in (content.shape, shape))
            raise UserError(f"{folder} holds {held} numbers, and index.json says {wanted}; {AGAIN}")
    else:
        content = ann.read_index(facts["kind"], folder / "index.faiss", facts["checksum"], shape)
    check_count(folder / "images.jsonl", facts["vectors"]["count"])
    applied = whitening.read_whitening(folder / "whitening.npz") if facts["whitening"] else None
    dimensions = (applied.facts["dimension"], applied.dimension) if applied else (facts["dimension"],) * 2
    if dimensions != (facts["vectors"]["dimension"], facts["dimension"]):
        raise UserError(f"{path} does not fit the whitening and the vectors beside it; {AGAIN}")
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
    # A disk that is full while a mapped file is written would end the process without a word.
    with open(path, "wb") as file, progress.of("prepare vectors", count, "vectors") as work:
        file.write(files.header(count, applied.dimension if applied else length))
        for some in search.blocks(count, ROWS):
            found = vectors.rows(some)
            prepared = applied.apply(found) if applied else search.normalised(found)
            file.write(np.ascontiguousarray(prepared, "<f4").tobytes())
            work.advance(len(prepared))
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
