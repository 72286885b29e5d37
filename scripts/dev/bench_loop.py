"""How much of the compiled step's speed the training loop keeps.

Both compute the same step at full width on this machine's CPU, in turn: the bare step on one batch that is in memory,
and the loop that `train.py` runs, which reads, decodes, augments, counts and reports, evaluates a batch at the end and
saves a checkpoint. Prints images/s of every run and the ratio of the medians.

    python scripts/dev/bench_loop.py [--network densenet121] [--size 64] [--batch 32] [--steps 20] [--runs 5]
"""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import get_spec  # noqa: E402
from mindzoo.scripts.dev.bench.photos import CLASSES, write_photos  # noqa: E402
from mindzoo.utils import log, runtime  # noqa: E402
from mindzoo.utils.checkpoints.checkpoint_file import LAST  # noqa: E402
from mindzoo.utils.config import reading as configuration  # noqa: E402
from mindzoo.utils.data.loader import TrainData  # noqa: E402
from mindzoo.utils.ranks import Stop  # noqa: E402
from mindzoo.utils.runtime import World  # noqa: E402
from mindzoo.utils.training import loop, run_folder, setup, trainer  # noqa: E402
from mindzoo.utils.training.callbacks import Callback  # noqa: E402
from mindzoo.utils.training.state import RunState  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="densenet121")
    for name, default in (("size", 64), ("batch", 32), ("steps", 20), ("runs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for split, count in (("train", options.steps * options.batch), ("val", options.batch)):
            write_photos(Path(folder) / "photos" / split, count)
        run, data, callbacks = prepare(options, Path(folder))
        rows = []
        for number in range(options.runs):
            rows.append((bare(run, options.steps), looped(run, data, callbacks, number + 1)))
            sys.stdout.write(
                f"run {number + 1}: bare step {rows[-1][0]:.2f} images/s, loop {rows[-1][1]:.2f} images/s\n"
            )
            sys.stdout.flush()
    step, whole = (median(row[column] for row in rows) for column in (0, 1))
    ratio = median(row[1] / row[0] for row in rows)
    sys.stdout.write(f"median: bare step {step:.2f}, loop {whole:.2f} images/s; median ratio of the runs {ratio:.3f}\n")
    return 0


def prepare(options: argparse.Namespace, folder: Path) -> tuple[RunState, TrainData, list[Callback]]:
    """A training that is ready to step, its data, and what the loop calls."""
    spec = get_spec(options.network)
    log.start(console=False)
    values = {"data_dir": str(folder / "photos"), "image_size": (options.size,), "batch_size": options.batch}
    values |= {"is_distributed": False, "device_target": "CPU", "ckpt_interval": 0, "save_best_ckpt": False}
    settings = configuration.make(spec.train_config, values)
    runtime.start("CPU")
    world = runtime.World()
    data = setup.open_data(settings, world)
    rates = spec.learning_rates(settings, data.train.steps_per_epoch)
    network = spec.build(CLASSES, **spec.network_options(settings))
    loss = setup.build_loss(settings, CLASSES, data.train.folders.labels)
    step = setup.build_step(settings, network, loss, rates, "O0", world)
    where = run_folder.create(str(folder / "run"), dated=False, world=World())
    meta = trainer.checkpoint_meta(spec, settings, CLASSES, data)
    run = RunState(
        spec, settings, world, where, step, rates, data.train.steps_per_epoch, meta, log.ProgressDisplay(sys.stdout)
    )
    callbacks = trainer.callbacks(run, data, network, CLASSES, None)
    loop.compile_step(run.train_step, data.train, run.config.image_size)
    bare(run, 3)  # the first steps allocate
    looped(run, data.train, callbacks, 0)  # the first evaluation compiles
    return run, data.train, callbacks


def bare(run: RunState, steps: int) -> float:
    """Images/s of the compiled step alone; waits for each step, as one waits for the last one of a run."""
    import mindspore as ms

    height, width = run.config.image_size
    batch = run.config.batch_size
    images = ms.Tensor(np.random.default_rng(0).standard_normal((batch, 3, height, width)).astype(np.float32))
    labels = ms.Tensor(np.arange(batch, dtype=np.int32) % CLASSES)
    started = time.perf_counter()
    for _ in range(steps):
        run.train_step(images, labels).asnumpy()
    return steps * batch / (time.perf_counter() - started)


def looped(run: RunState, data: TrainData, callbacks: list[Callback], epoch: int) -> float:
    """Images/s of the loop over one epoch, from the first batch asked for to the checkpoint that is on the disk."""
    run.epoch, run.epoch_step = epoch, 0
    run.begin_epoch()
    started = time.perf_counter()
    loop.stepped_epoch(run, data, callbacks, Stop(run.world, runtime.StopRequest()))
    run.read_loss()
    for callback in callbacks:
        callback.on_epoch_end(run)
    seconds = time.perf_counter() - started
    assert time.time() - (run.folder.path / LAST).stat().st_mtime < seconds  # it is this run's
    return run.epoch_clock.steps * run.config.batch_size / seconds


if __name__ == "__main__":
    raise SystemExit(main())
