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

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_folder_of, new_folder, said_of, write_json
from mindzoo.utils.log import logger
from mindzoo.utils.retrieval import ann, search, whitening
from mindzoo.utils.retrieval import vectors as files
from mindzoo.utils.retrieval.keys import KINDS, IndexConfig
from mindzoo.utils.retrieval.whitening import VectorWhitening

ROWS = 8192


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
        """
        prepared = self.whitening.apply(queries) if self.whitening else search.normalised(queries)
        if self.facts["kind"] == "exact":
            return search.search(self.content, prepared, top_k)
        return ann.search(self.facts["kind"], self.content, prepared, top_k, effort)

    def images(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """{"path", "folder"} of these rows."""
        wanted = sorted({int(row) for row in rows if row >= 0})
        return dict(zip(wanted, files.read_lines(self.folder / "images.jsonl", set(wanted)), strict=True))


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
    facts = files.read_facts(path)
    kind = facts.get("kind")
    if kind not in KINDS:
        raise UserError(f"{path} says kind {kind}; wanted one of {', '.join(KINDS)}: make the index again")
    content: Any
    if kind == "exact":
        content = files.load_array(folder / "vectors.npy")
        count = len(content)
    else:
        content = ann.read_index(kind, folder / "index.faiss")
        count = content.ntotal
    if count != facts["vectors"]["count"]:
        raise UserError(f"{folder} holds {count} vectors of {facts['vectors']['count']}; make the index again")
    # An index of before has an absolute path, which stays as it is.
    facts["vectors"]["images"] = str(folder / facts["vectors"]["images"])
    applied = whitening.read_whitening(folder / "whitening.npz") if facts["whitening"] else None
    return Index(folder, facts, applied, content)


def prepare(vectors: np.ndarray, applied: VectorWhitening | None, path: Path) -> np.ndarray:
    """Write the vectors, whitened and divided by their lengths, as a .npy file, and map it: (N, K) float32.

    Raises:
        OSError: there is no room for it.
    """
    # A disk that is full while a mapped file is written would end the process without a word.
    with open(path, "wb") as file:
        file.write(files.header(len(vectors), applied.dimension if applied else vectors.shape[1]))
        for rows in search.blocks(len(vectors), ROWS):
            prepared = applied.apply(vectors[rows]) if applied else search.normalised(vectors[rows])
            file.write(np.ascontiguousarray(prepared, "<f4").tobytes())
    return files.load_array(path)


def _write(config: IndexConfig, found: files.Vectors, applied: VectorWhitening | None, folder: Path) -> None:
    prepared = prepare(found.array, applied, folder / "vectors.npy")
    if config.kind != "exact":
        path = folder / "index.faiss"
        ann.build(config.kind, prepared, path, lists=config.lists, links=config.links)
        (folder / "vectors.npy").unlink()
    shutil.copyfile(found.lines, folder / "images.jsonl")
    if applied:
        applied.save(folder / "whitening.npz")
    facts = {name: value for name, value in found.facts.items() if name != "unreadable"}
    # Seen from the index, whose place `folder` is beside: no path of this machine, and both can be moved together.
    facts["images"] = os.path.relpath(facts["images"], folder)
    content = {"kind": config.kind, "dimension": prepared.shape[1], "whitening": bool(applied), "vectors": facts}
    write_json(folder / "index.json", content)


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
