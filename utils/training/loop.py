"""The training loop: one call of the compiled step per batch, or blocks of steps that a feed lets the device do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import mindspore as ms
import numpy as np

from mindzoo.utils import ranks, runtime
from mindzoo.utils.compiling import graphs
from mindzoo.utils.compiling.waiting import moving
from mindzoo.utils.data import bad_images
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import aside
from mindzoo.utils.ranks import Stop
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.feed import Feed, Sink
from mindzoo.utils.training.state import RunState
from mindzoo.utils.training.unfreezing import Thaw


def train(
    run: RunState, data: TrainData, listed: Sequence[Callback], sink: Sink | None = None, thaw: Thaw | None = None
) -> None:
    """Train until `run.last_step`, or until a signal: several ranks stop at the same step.

    Args:
        sink: how blocks of steps are fed; None: the steps run one by one.
        thaw: what is frozen at first, and when it is trained.

    Raises:
        Interrupted: after a checkpoint was saved.
    """
    with runtime.stop_on_signals() as request, bad_images.named(data.folders):
        stop = Stop(run.world, request)
        if run.epoch_step == run.steps_per_epoch:
            for callback in listed:
                callback.on_resume(run)
        for last_step in stages(run, thaw):
            with feeding(run, data, sink, last_step) as feed, rescuing(run, listed):
                train_until(last_step, run, data, listed, feed, stop)
            if stop or run.out_of_patience:
                break
        run.progress.clear()
        for callback in listed:
            callback.on_end(run)
        # A rank that ended earlier could be the end of the one that is still saving.
        ranks.wait_for_all(run.world)
    if stop:
        raise Interrupted(
            f"stopped at step {run.step}: saved {run.saved or 'nothing'}; go on with --resume auto", stop.signal
        )


def stages(run: RunState, thaw: Thaw | None) -> Iterator[int]:
    """Where each part of the run ends that has one training step; between two the run gets another step."""
    if thaw and run.step < thaw.step:
        yield min(thaw.step, run.last_step)
    if thaw and run.step < run.last_step:
        thaw.apply(run)
    yield run.last_step


def train_until(
    last_step: int, run: RunState, data: TrainData, listed: Sequence[Callback], feed: Feed | None, stop: Stop
) -> None:
    """Go through epochs until `last_step` steps are done in all."""
    while run.step < last_step and not run.out_of_patience and not stop:
        run.begin_epoch()
        plateau = run.train_step.optimizer.plateau
        run.rate_share = plateau.now if plateau else 1.0
        if feed:
            sunk_epoch(run, feed, listed, stop)
        else:
            stepped_epoch(run, data, listed, stop)
        run.read_loss()
        if run.epoch_step == run.steps_per_epoch:
            for callback in listed:
                callback.on_epoch_end(run)


@contextmanager
def feeding(run: RunState, data: TrainData, sink: Sink | None, last_step: int) -> Iterator[Feed | None]:
    """Compile what the steps run; inside the block there is a feed for them, None where they run one by one.

    Whatever else is compiled before the first step would take from MindSpore how many steps a call is to do.
    """
    if run.step >= last_step:
        yield None
    elif sink is None:
        compile_step(run.train_step, data, run.config.image_size)
        yield None
    else:
        feed = sink.open(run, data, last_step)
        try:
            with moving(f"compiling {what(data, run.config.image_size)}"):
                feed.compile()
            aside("blocks of %d steps, %d at a call", feed.blocks.size, feed.blocks.per_call)
            yield feed
        finally:
            feed.close()


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


def what(data: TrainData, image_size: Sequence[int]) -> str:
    """The graph of a step, in words."""
    return f"the training graph for batches of {(data.batch_size, 3, *image_size)}, once per run"


def compile_step(step: TrainStep, data: TrainData, image_size: Sequence[int]) -> None:
    """Compile the graph of a single step before the first one; `image_size` is height and width."""
    height, width = image_size
    images = ms.Tensor(np.zeros((data.batch_size, 3, height, width), np.float32))
    labels = ms.Tensor(np.zeros(data.batch_size, np.int32))
    graphs.compile_cell(step, what(data, image_size), *((images, labels, *more) for more in step.graphs))


def stepped_epoch(run: RunState, data: TrainData, listed: Sequence[Callback], stop: Stop) -> None:
    """Our own loop: one call of the compiled step per batch."""
    batches = data.epoch(run.epoch, run.epoch_step).create_tuple_iterator(num_epochs=1)
    waited, waiting_since = 0.0, time.perf_counter()
    for images, labels in batches:
        waited += time.perf_counter() - waiting_since
        run.epoch_clock.waited = waited
        run.between_steps = False
        run.advance(run.train_step(images, labels))
        for callback in listed:
            callback.on_step(run)
        if stop.after_step() or run.step >= run.last_step:
            break
        waiting_since = time.perf_counter()


def sunk_epoch(run: RunState, feed: Feed, listed: Sequence[Callback], stop: Stop) -> None:
    """A call of the callbacks after every block of steps: the device did these with no word of the host's."""
    run.epoch_clock.waited = None
    while run.epoch_step < run.steps_per_epoch and run.step < run.last_step and not stop:
        run.between_steps = False
        steps = feed.blocks.next(run.step)
        try:
            feed.run(steps)
        except Exception:
            if feed.batches.error:  # all steps before it are whole
                with suppress(RuntimeError):  # of a device that answers no more
                    run.advance_block(feed.losses())
            raise
        losses = feed.losses()
        if len(losses) != steps:
            raise RuntimeError(f"the device did {len(losses)} of {steps} steps; use --sink_mode false")
        run.advance_block(losses)
        for callback in listed:
            callback.on_step(run)
        stop.after_step(at_once=True)
