"""Indexes of faiss, which comes with mindzoo's extra `ann`: exact in memory, or approximate and faster."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval.search import blocks

# faiss draws at most this many vectors per cell to place the cells.
TRAINING_ROWS_PER_LIST = 256
ROWS = 16384
BLOCK = 1 << 20  # bytes
EFFORT = {"ivf": 16, "hnsw": 64}


def library(kind: str) -> Any:
    """The module faiss.

    Raises:
        UserError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UserError(
            f"an index of kind {kind} needs faiss: pip install faiss-cpu (mindzoo's extra ann), or use --kind exact"
        ) from None
    return faiss


def build(kind: str, vectors: np.ndarray, path: Path, *, lists: int = 0, links: int = 32) -> None:
    """Write an index of `vectors` (N, D), float32 of length 1, for their inner products.

    Args:
        kind: "flat", "ivf" (cells around the means of clusters) or "hnsw" (a graph; Malkov and Yashunin 2016,
            https://arxiv.org/abs/1603.09320).
        lists: cells of ivf; 0: four times the root of N.
        links: of a vector in hnsw.

    Raises:
        UserError: faiss is not installed, or there are more cells than vectors.
        OSError: there is no room for it.
    """
    faiss = library(kind)
    count, dimension = vectors.shape
    if kind == "flat":
        index = faiss.IndexFlatIP(dimension)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimension, links, faiss.METRIC_INNER_PRODUCT)
    else:
        lists = lists or usual_lists(count)
        if lists > count:
            raise UserError(f"lists is {lists}, and there are {count} vectors; wanted at most that")
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimension), dimension, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1  # few vectors are no reason for a warning on standard error
        step = max(count // (TRAINING_ROWS_PER_LIST * lists), 1)
        index.train(np.ascontiguousarray(vectors[::step]))
    with progress.of(f"index {kind}", count, "vectors") as work:
        for rows in blocks(count, ROWS):
            index.add(np.ascontiguousarray(vectors[rows]))
            work.advance(rows.stop - rows.start)
    # By itself faiss takes no name that is not UTF-8.
    with open(path, "wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))


def usual_lists(count: int) -> int:
    """How many cells the vectors are divided into where nothing is said."""
    return min(max(int(4 * math.sqrt(count)), 1), count)


def made_with(kind: str, index: Any, count: int) -> dict[str, int]:
    """The `lists` or `links` that `build` takes to make such an index of `count` vectors."""
    if kind == "hnsw":
        return {"links": index.hnsw.nb_neighbors(0) // 2}  # the lowest layer has twice as many
    if kind == "ivf":
        return {"lists": 0 if index.nlist == usual_lists(index.ntotal) else min(index.nlist, count)}
    return {}


def vectors_of(kind: str, index: Any, rows: slice) -> np.ndarray:
    """Some of the vectors that `build` was given, (N, D) float32."""
    if kind == "ivf":
        index.make_direct_map()  # from a row to its cell; nothing is done the second time
    return np.asarray(index.reconstruct_n(rows.start, rows.stop - rows.start))


def checksum(path: Path) -> int:
    """The CRC-32 of a file.

    Raises:
        OSError: it cannot be read.
    """
    value = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            value = zlib.crc32(block, value)
    return value


def read_index(kind: str, path: Path, wanted: int, shape: tuple[int, int]) -> Any:
    """The index that `build` wrote.

    faiss takes what stands in a file for granted, and a damaged one can end the process: it is compared first.

    Args:
        wanted: its checksum.
        shape: number and dimension of its vectors.

    Raises:
        UserError: faiss is not installed, the file is damaged, or another index.
    """
    faiss = library(kind)
    try:
        if checksum(path) != wanted:
            raise UserError(f"{path} is damaged: its checksum is another one; make the index again")
        with open(path, "rb") as file:
            found = faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; make the index again") from None
    except (RuntimeError, MemoryError) as error:
        said = str(error).strip().splitlines() or ["it takes more memory than there is"]
        raise UserError(f"{path} is damaged: {said[-1]}; make the index again") from None
    kinds = {"flat": faiss.IndexFlat, "ivf": faiss.IndexIVFFlat, "hnsw": faiss.IndexHNSW}
    if not isinstance(found, kinds[kind]) or (found.ntotal, found.d) != shape:
        raise UserError(
            f"{path} is no index of kind {kind} with {shape[0]:,} vectors of {shape[1]}; make the index again"
        )
    return found


def search(kind: str, index: Any, queries: np.ndarray, top_k: int, effort: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and rows (Q, K), best first; row -1 where an approximate index found fewer than K."""
    effort = effort or EFFORT.get(kind, 0)
    if kind == "ivf":
        index.nprobe = min(effort, index.nlist)
    elif kind == "hnsw":
        index.hnsw.efSearch = max(effort, top_k)
    scores, rows = index.search(np.ascontiguousarray(queries, np.float32), min(top_k, index.ntotal))
    return scores, rows
