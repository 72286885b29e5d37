"""How fast a training reads a pack, beside the class folders that it was made of.

Reads epochs of augmented batches of both in turn, as `train.py` does, and drops them. Prints images/s of each run, the seconds
until the first batch, which hold the look at folders or tables, and the medians. The files stay in the system's memory between the
runs, if they fit: only data that is larger shows what a disk does.

    python scripts/dev/bench_pack.py [--data FOLDER] [--images 2000] [--size 224] [--batch 64] [--workers 0] [--runs 5]
"""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.scripts.dev.bench.photos import write_photos  # noqa: E402
from mindzoo.utils import log  # noqa: E402
from mindzoo.utils.config.keys import TrainConfig  # noqa: E402
from mindzoo.utils.data import data_set  # noqa: E402
from mindzoo.utils.data.loader import TrainData  # noqa: E402
from mindzoo.utils.data.transforms import training_operations  # noqa: E402
from mindzoo.utils.packing.keys import PackConfig  # noqa: E402
from mindzoo.utils.packing.pack import pack  # noqa: E402
from mindzoo.utils.runtime import World  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="class folders; by default photographs are made")
    for name, default in (("images", 2000), ("size", 224), ("batch", 64), ("workers", 0), ("runs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    log.start(console=False)
    with tempfile.TemporaryDirectory() as folder:
        folders = options.data or Path(folder) / "photos"
        if not options.data:
            write_photos(folders, options.images)
        packed = pack(PackConfig(folders=(str(folders), str(Path(folder) / "packed"))))
        rows: dict[str, list[tuple[float, float]]] = {"folders": [], "pack": []}
        for number in range(options.runs):
            for name, root in (("folders", folders), ("pack", packed)):
                rows[name].append(read(root, options, epoch=number))
                speed, first = rows[name][-1]
                sys.stdout.write(f"run {number + 1}: {name} {speed:.1f} images/s, first batch after {first:.2f} s\n")
                sys.stdout.flush()
    for name, runs in rows.items():
        speed, first = (median(run[column] for run in runs) for column in (0, 1))
        sys.stdout.write(f"median: {name} {speed:.1f} images/s, first batch after {first:.2f} s\n")
    return 0


def read(root: Path, options: argparse.Namespace, epoch: int) -> tuple[float, float]:
    """Images/s from the first batch on, and the seconds until it came."""
    started = time.perf_counter()
    data = TrainData(
        data_set.open_set(root),
        training_operations(TrainConfig(image_size=(options.size,))),
        batch_size=options.batch,
        world=World(),
        seed=1,
        workers=options.workers,
    )
    batches = data.epoch(epoch).create_tuple_iterator(num_epochs=1, output_numpy=True)
    next(batches)
    first = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - first), first - started


if __name__ == "__main__":
    raise SystemExit(main())
