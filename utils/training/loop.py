"""The training loop: our own, one call of the compiled step per batch, or MindSpore's, which feeds an Ascend device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mindspore as ms
import numpy as np

from mindzoo.utils import ranks, runtime
from mindzoo.utils.data import bad_images
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.log import logger
from mindzoo.utils.ranks import Stop
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


def train(run: RunState, data: TrainData, listed: Sequence[Callback]) -> None:
    """Train until `run.last_step`, or until a signal: several ranks stop at the same step.

    Raises:
        Interrupted: after a checkpoint was saved.
    """
    sink = run.config.sink_mode and run.train_step.can_sink
    with runtime.stop_on_signals() as request, bad_images.named(data.folders):
        stop = Stop(run.world, request)
        compile_step(run, data)
        if run.epoch_step == run.steps_per_epoch:
            for callback in listed:
                callback.on_resume(run)
        with rescuing(run, listed):
            while run.step < run.last_step and not run.out_of_patience and not stop:
                run.begin_epoch()
                (sunk_epoch if sink else stepped_epoch)(run, data, listed, stop)
                run.read_loss()
                if run.epoch_step == run.steps_per_epoch:
                    for callback in listed:
                        callback.on_epoch_end(run)
        run.progress.clear()
        for callback in listed:
            callback.on_end(run)
        # A rank that ended earlier could be the end of the one that is still saving.
        ranks.wait_for_all(run.world)
    if stop:
        raise Interrupted(
            f"stopped at step {run.step}: saved {run.saved or 'nothing'}; go on with --resume auto", stop.signal
        )


@contextmanager
def rescuing(run: RunState, listed: Sequence[Callback]) -> Iterator[None]:
    """Let the callbacks keep what was done before an error in the block: data that vanish, a bad image, a bad loss."""
    try:
        yield
    except Exception:
        run.progress.clear()
        for callback in listed:
            callback.on_error(run)
        raise


def compile_step(run: RunState, data: TrainData) -> None:
    """Compile the graph before the first step, and say so: silence for a minute looks like a hang."""
    height, width = run.config.image_size
    images = ms.Tensor(np.zeros((data.batch_size, 3, height, width), np.float32))
    labels = ms.Tensor(np.zeros(data.batch_size, np.int32))
    logger.info("compiling the training graph for batches of %s, once per run ...", tuple(images.shape))
    started = time.perf_counter()
    run.train_step.compile(images, labels)
    logger.info("compiled in %.1f s", time.perf_counter() - started)


def stepped_epoch(run: RunState, data: TrainData, listed: Sequence[Callback], stop: Stop) -> None:
    """Our own loop: one call of the compiled step per batch."""
    batches = data.epoch(run.epoch, run.epoch_step).create_tuple_iterator(num_epochs=1)
    waiting_since = time.perf_counter()
    for images, labels in batches:
        run.epoch_clock.waited += time.perf_counter() - waiting_since
        run.between_steps = False
        run.advance(run.train_step(images, labels))
        for callback in listed:
            callback.on_step(run)
        if stop.after_step() or run.step >= run.last_step:
            break
        waiting_since = time.perf_counter()


def sunk_epoch(run: RunState, data: TrainData, listed: Sequence[Callback], stop: Stop) -> None:
    """The same through MindSpore's Model, which feeds an Ascend device from a queue (elsewhere it does not sink)."""
    batches = data.epoch(run.epoch, run.epoch_step)
    run.between_steps = False
    ms.Model(run.train_step).train(1, batches, callbacks=[_Relay(run, listed, stop)], dataset_sink_mode=True)


class _Relay(ms.train.Callback):
    """Counts what Model.train does into the run, and calls our callbacks."""

    def __init__(self, run: RunState, listed: Sequence[Callback], stop: Stop) -> None:
        super().__init__()
        self.run, self.listed, self.stop = run, listed, stop
        self.first = run.epoch_step

    def on_train_step_end(self, run_context: Any) -> None:
        arguments = run_context.original_args()
        done = self.first + arguments.cur_step_num
        self.run.advance(arguments.net_outputs, done - self.run.epoch_step)
        for callback in self.listed:
            callback.on_step(self.run)
        if self.stop.after_step(at_once=True) or self.run.step >= self.run.last_step:
            run_context.request_stop()
