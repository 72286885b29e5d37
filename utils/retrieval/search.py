"""Exact search for the nearest vectors, in blocks: no more than a block of scores is ever in memory.

It needs NumPy alone, and a file of vectors that is mapped into memory is read where it lies.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK_ROWS = 8192
BLOCK_QUERIES = 512
LOW = np.int64(0xFFFFFFFF)
SIGN = np.int32(0x7FFFFFFF)


class NotFiniteError(ValueError):
    """A product of two vectors is no number, or an infinite one."""


def search(
    vectors: np.ndarray, queries: np.ndarray, top_k: int, *, block_rows: int = BLOCK_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of `vectors` with the largest inner products; for vectors of length 1 that is the cosine.

    Args:
        vectors: (N, D) float32, N below 2^32.
        queries: (Q, D) float32.

    Returns:
        Scores (Q, K) float32 and rows (Q, K) int64, best first, K = min(top_k, N); of equal scores the lower row
        comes first.

    Raises:
        NotFiniteError: a vector or a query is not finite, or so large that their product is not.
    """
    kept = min(top_k, len(vectors))
    scores = np.empty((len(queries), kept), np.float32)
    rows = np.empty((len(queries), kept), np.int64)
    for some in blocks(len(queries), BLOCK_QUERIES):
        best = np.empty((some.stop - some.start, 0), np.int64)
        for block in blocks(len(vectors), block_rows):
            with np.errstate(all="ignore"):  # it is said below
                products = queries[some] @ vectors[block].T
            if not np.isfinite(products).all():
                raise NotFiniteError
            keys = _keys(products, block.start)
            best = _largest(np.concatenate([best, _largest(keys, kept)], axis=1), kept)
        best.sort(axis=1)
        scores[some], rows[some] = _split(best[:, ::-1])
    return scores, rows


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover 0..count."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def normalised(vectors: np.ndarray) -> np.ndarray:
    """(N, D) float32, each vector divided by its length; a vector of zeros stays as it is."""
    values = np.asarray(vectors, np.float32)
    # Divided by its largest number first, a vector is at least 1 long, and no square leaves the range of float32.
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest > 0, largest, 1)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1))


def _keys(scores: np.ndarray, first_row: int) -> np.ndarray:
    """Score and row as one integer, (Q, B) int64: a larger score makes a larger key, and so does a lower row.

    The bits of a float32 are ordered like integers, those of negative numbers the other way round.
    """
    bits = (scores + np.float32(0)).view(np.int32)  # + 0 makes -0 the same as 0
    ordered = bits ^ ((bits >> 31) & SIGN)
    below = LOW - np.arange(first_row, first_row + scores.shape[1], dtype=np.int64)
    return np.asarray((ordered.astype(np.int64) << 32) | below)


def _split(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scores and rows that `_keys` made keys of."""
    ordered = (keys >> 32).astype(np.int32)
    bits = ordered ^ ((ordered >> 31) & SIGN)
    return bits.view(np.float32), LOW - (keys & LOW)


def _largest(keys: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest keys of each line, in any order."""
    if keys.shape[1] <= count:
        return keys
    return np.asarray(np.partition(keys, -count, axis=1)[:, -count:])
