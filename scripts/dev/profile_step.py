"""Where the time of a training step goes: milliseconds of its kernels, by the kind of layer.

    python scripts/dev/profile_step.py NETWORK [--batch N] [--size PIXELS] [--steps N] [--flags "FLAGS OF A TRAINING"]

The step is the one that `mindzoo train` compiles, on one batch in memory. MindSpore's profiler times the kernels; it costs
some of the time itself, so the step is also timed without it. Nothing else should run.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import runpy
import shlex
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import mindspore as ms  # noqa: E402

from mindzoo.scripts.dev.bench import own_training  # noqa: E402
from mindzoo.scripts.dev.bench.photos import write_photos  # noqa: E402
from mindzoo.scripts.dev.bench.workers.own_steps import compiled_step  # noqa: E402
from mindzoo.utils.compiling import graphs  # noqa: E402

TABLE = "*_ascend_ms/FRAMEWORK/cpu_op_detail_info_*.csv"
CELL = re.compile(r"-(\w+)/(?:Grad_\w+/)?[^/]*$")
LEAST = 0.005  # of all kernels: kinds below it are put together


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--flags", default="", help="of a training, as a shell takes them")
    options = parser.parse_args()
    os.environ[graphs.VARIABLE] = "off"  # a graph that is kept has lost the names of its layers
    with tempfile.TemporaryDirectory() as folder:
        seconds, rows = profiled(options, Path(folder))
    print("\n".join(table(rows, options.steps, statistics.median(seconds))))
    return 0


def profiled(options: argparse.Namespace, folder: Path) -> tuple[list[float], list[dict[str, str]]]:
    """Seconds of each step without the profiler, and what it says of each kernel of as many steps."""
    photos = folder / "photos"
    write_photos(photos, options.batch)
    settings: dict[str, Any] = {
        "network": options.network,
        "batch": options.batch,
        "size": options.size,
        "classes": 1000,
        "images": options.batch,
        "small": False,
        "photos": str(photos),
        "output": str(folder / "output"),
        "flags": ["--num_classes", "1000", *shlex.split(options.flags)],
    }
    step = compiled_step(own_training.build(settings), settings)
    step()
    seconds = [_timed(step) for _ in range(options.steps)]
    profiler = ms.Profiler(start_profile=False, output_path=str(folder / "profile"))
    profiler.start()
    for _ in range(options.steps):
        step()
    profiler.stop()
    profiler.analyse()
    (found,) = (folder / "profile").glob(TABLE)
    with open(found, encoding="utf-8", newline="") as file:
        return seconds, list(csv.DictReader(file))


def _timed(step: Any) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def table(rows: Iterable[Mapping[str, str]], steps: int, seconds: float) -> list[str]:
    """Markdown: kinds of layers with their milliseconds in a step, forward and backward, the longest first."""
    sums: dict[str, float] = defaultdict(float)
    kernels = 0
    for row in rows:
        sums[_kind(row)] += float(row["op_total_time(ms)"]) / steps
        kernels += int(row["op_occurrences"]) // steps
    total = sum(sums.values())
    large = sorted((kind for kind in sums if sums[kind] >= LEAST * total), key=lambda kind: -sums[kind])
    shown = [*((kind, sums[kind]) for kind in large), ("the rest", total - sum(sums[kind] for kind in large))]
    lines = ["| Layers | ms | share |", "| --- | --- | --- |"]
    lines += [f"| {kind} | {spent:.1f} | {spent / total:.1%} |" for kind, spent in shown]
    taken = (
        f"{kernels} kernels take {total:.0f} ms in a step; without the profiler a step takes {1000 * seconds:.0f} ms."
    )
    return [*lines, "", taken]


def _kind(row: Mapping[str, str]) -> str:
    """The class of the cell that a kernel is of, and whose operator it is."""
    if row["op_type"] == "Custom":
        found = CELL.search(row["full_op_name"])
        return f"`{found[1]}`" if found else "update of the weights"
    return f"MindSpore's `{row['op_type']}`"


if __name__ == "__main__":
    sys.exit(main())
