"""Exact search: the same rows as sorting everything, whatever the blocks, with equal scores in a known order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.retrieval import search


def sorted_search(vectors: np.ndarray, queries: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Everything sorted by score, then by row."""
    scores = queries @ vectors.T
    rows = np.stack([np.lexsort((np.arange(len(vectors)), -line))[:top_k] for line in scores])
    return np.take_along_axis(scores, rows, 1), rows


def whole_numbers(count: int, dimension: int, seed: int) -> np.ndarray:
    """Vectors whose products are exact in float32, and often equal."""
    return np.random.default_rng(seed).integers(-2, 3, (count, dimension)).astype(np.float32)


@pytest.mark.parametrize("block_rows", [1, 3, 7, 50, 64, 1000])
@pytest.mark.parametrize("top_k", [1, 5, 64])
def test_every_block_size_gives_the_sorted_rows(block_rows: int, top_k: int) -> None:
    vectors, queries = whole_numbers(64, 4, 0), whole_numbers(9, 4, 1)
    scores, rows = search.search(vectors, queries, top_k, block_rows=block_rows)
    wanted_scores, wanted_rows = sorted_search(vectors, queries, top_k)
    assert len(np.unique(wanted_scores[0])) < len(wanted_scores[0]) or top_k < 5  # there are ties to order
    np.testing.assert_array_equal(rows, wanted_rows)
    np.testing.assert_array_equal(scores, wanted_scores)
    assert (scores.dtype, rows.dtype) == (np.float32, np.int64)


def test_random_vectors_in_the_default_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BLOCK_QUERIES", 16)
    random = np.random.default_rng(3)
    vectors = search.normalised(random.standard_normal((10_000, 24), np.float32))
    queries = search.normalised(random.standard_normal((40, 24), np.float32))
    scores, rows = search.search(vectors, queries, 10)
    wanted_scores, wanted_rows = sorted_search(vectors, queries, 10)
    np.testing.assert_array_equal(rows, wanted_rows)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-6)


def test_negative_scores_zeros_and_more_wanted_than_there_are() -> None:
    vectors = np.array([[-1, 0], [0, -1], [-0.0, 0], [0.5, 0], [-3, 0]], np.float32)
    scores, rows = search.search(vectors, np.array([[1, 0]], np.float32), 99, block_rows=2)
    assert rows.tolist() == [[3, 1, 2, 0, 4]]
    assert scores.tolist() == [[0.5, 0, 0, -1, -3]]


def test_a_mapped_file_is_searched_where_it_lies(tmp_path: Path) -> None:
    vectors = whole_numbers(100, 8, 5)
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    found = search.search(mapped, vectors[:3], 4, block_rows=30)
    np.testing.assert_array_equal(found[1], sorted_search(vectors, vectors[:3], 4)[1])


def test_normalised_has_length_one_and_keeps_zeros() -> None:
    vectors = np.array([[3, 4], [0, 0], [1e-30, 0], [3e30, -4e30]], np.float32)
    wanted = [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0], [0.6, -0.8]]
    np.testing.assert_allclose(search.normalised(vectors), wanted, rtol=1e-6)


def test_the_benchmark_prints_time_and_memory(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "scripts" / "dev" / "bench_search.py"), "--rows", "3000", "--dimension", "64"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": ""}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3,000 vectors of 64 dimensions, 100 queries" in done.stdout
    assert "median of 5 warm runs: 0.0" in done.stdout
    assert "peak memory beyond mapped files: " in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["cwd"]
