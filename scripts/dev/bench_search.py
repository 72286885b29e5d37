"""How long an exact search takes and how much memory it needs, on random vectors.

python scripts/dev/bench_search.py [--rows 100000] [--dimension 2048] [--queries 100]

The vectors (820 MB by default) are written to a temporary folder, which is removed at the end. Linux only.
"""

from __future__ import annotations

import argparse
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils.retrieval.search import blocks, normalised, search  # noqa: E402

RUNS = 5
TOP_K = 10


def write_vectors(path: Path, rows: int, dimension: int) -> None:
    """Random vectors of length 1."""
    random = np.random.default_rng(1)
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, dimension))
    for block in blocks(rows, 4096):
        vectors[block] = normalised(random.standard_normal((block.stop - block.start, dimension), np.float32))
    vectors.flush()


def status(field: str) -> float:
    """A field of this process in /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024 / 1e6


def forget_peak() -> None:
    """Let the kernel count the peak of the memory anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure(path: Path, query_count: int) -> None:
    vectors = np.load(path, mmap_mode="r")
    queries = normalised(np.random.default_rng(2).standard_normal((query_count, vectors.shape[1]), np.float32))
    search(vectors, queries, TOP_K)
    forget_peak()
    seconds, processor = [], []
    for _ in range(RUNS):
        begin, busy = time.perf_counter(), time.process_time()
        search(vectors, queries, TOP_K)
        seconds.append(time.perf_counter() - begin)
        processor.append(time.process_time() - busy)
    peak = status("VmHWM") - status("RssFile")
    sys.stdout.write(
        f"{len(vectors):,} vectors of {vectors.shape[1]:,} dimensions, {query_count} queries, top {TOP_K}\n"
        f"median of {RUNS} warm runs: {statistics.median(seconds):.3f} s "
        f"(from {min(seconds):.3f} to {max(seconds):.3f} s), of all cores together {statistics.median(processor):.3f} s\n"
        f"peak memory beyond mapped files: {peak:.0f} MB (mapped: {status('RssFile'):.0f} MB)\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--queries", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        write_vectors(path, given.rows, given.dimension)
        measure(path, given.queries)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
