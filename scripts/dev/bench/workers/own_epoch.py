"""Epochs of mindzoo's training loop on JPEG files, each with its checkpoint at the end."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.scripts.dev.bench import own_training  # noqa: E402
from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.utils import runtime  # noqa: E402
from mindzoo.utils.ranks import Stop  # noqa: E402
from mindzoo.utils.training import loop  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Build the training and compile its step."""
    built = own_training.build(settings)
    run, data, callbacks = built.run, built.data, built.callbacks
    loop.compile_step(run.train_step, data, run.config.image_size)
    stop = Stop(run.world, runtime.StopRequest())

    def epoch() -> int:
        run.begin_epoch()
        loop.stepped_epoch(run, data, callbacks, stop)
        run.read_loss()
        for callback in callbacks:
            callback.on_epoch_end(run)
        return run.epoch_clock.steps * run.config.batch_size

    return epoch


if __name__ == "__main__":
    serve(prepare)
