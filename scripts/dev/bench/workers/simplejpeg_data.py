"""JPEG files, read and decoded whole by simplejpeg in as many processes as there are cores, and dropped: a yardstick."""

from __future__ import annotations

import itertools
import multiprocessing
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

import simplejpeg  # noqa: E402

from mindzoo.scripts.dev.bench.serving import Step, cores, serve  # noqa: E402

CHUNK = 16  # files that a process takes at a time


def prepare(settings: dict[str, Any]) -> Step:
    """Start the processes and decode the first files."""
    pool = multiprocessing.Pool(cores())
    chunks = itertools.cycle(list(chunked(sorted(map(str, Path(settings["photos"]).rglob("*.jpg"))))))

    def step() -> int:
        return sum(pool.imap(decode_all, itertools.islice(chunks, 8 * cores())))

    step()
    return step


def chunked(files: list[str]) -> Iterable[list[str]]:
    return (files[start : start + CHUNK] for start in range(0, len(files), CHUNK))


def decode_all(files: list[str]) -> int:
    """Decode; returns how many files."""
    for file in files:
        simplejpeg.decode_jpeg(Path(file).read_bytes())
    return len(files)


if __name__ == "__main__":
    serve(prepare)
