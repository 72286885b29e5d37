"""`mindzoo lr-find`: the loss of a training at ever higher learning rates, as a curve, and a rate that it suggests.

Smith 2017, https://arxiv.org/abs/1506.01186, section 3.3, with the running mean, the early end and the suggestions of fastai.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mindzoo.utils import progress, runtime
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.rate_keys import OWN
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import bad_images
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.rate_finding import keys, outcome, repeated
from mindzoo.utils.rate_finding.curve import Curve, rising
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import assembly, loop, on_card, setup, starting_point, trainer

ASKED_TO_STOP = "asked to stop: finishing this step; once more ends at once"


@dataclass(frozen=True)
class RateTest:
    """A training's step that takes ever higher rates."""

    step: TrainStep
    data: TrainData
    rates: np.ndarray  # of each update, as `--lr` gives them, (N,) float32
    accumulation: int  # batches of an update


def find(spec: ModelSpec, loaded: Loaded[Any]) -> None:
    """Test the rates, say which one the curve suggests, and write the curve. Nothing that was trained is kept.

    Raises:
        UserError: anything the user can mend: data, checkpoint, device, values that do not go together, a file.
        Interrupted: a signal ended it; nothing is written.
    """
    config = loaded.config
    refuse(config)
    outcome.check(config.output)
    given = repeated.of_a_training(spec, loaded)
    idle = keys.without_effect(config, given)
    if idle:
        trainer.say([f"{', '.join(idle)}: no effect on a test of learning rates, which has its own and keeps no run"])
    test = prepare(spec, dataclasses.replace(loaded, given=loaded.given - {*idle}))
    outcome.tell(spec, config, run(test, config.image_size), given)


def refuse(config: TrainConfig) -> None:
    """Refuse what a test of learning rates has no meaning for.

    Raises:
        UserError: says what to do.
    """
    if config.resume:
        raise UserError(
            f"resume is {config.resume}, and a test of learning rates goes on with no run; give --pretrained FILE to test from "
            "the weights of one"
        )
    if setup.step_kind(config) is not TrainStep:
        raise UserError(
            f"the optimizer is {config.optimizer}, whose learning rate and damping fall together by a rule of its own; wanted another "
            "--optimizer"
        )
    if config.is_distributed and runtime.is_launched():
        raise UserError(
            "lr-find tests in one process, and a launcher started this one; run it alone, with the images of all ranks per update as "
            "--global_batch"
        )


def prepare(spec: ModelSpec, loaded: Loaded[Any]) -> RateTest:
    """The training's own step and data, with the rates of the test in place of the schedule's.

    Raises:
        UserError: see `find`.
    """
    config: Any = dataclasses.replace(loaded.config, schedule=OWN)
    device = runtime.start(config.device_target, seed=config.seed, deterministic=config.deterministic)
    world = runtime.join(False, config.rank, config.group_size)
    graphs.start(config, world)
    data = setup.open_data(config, world)
    num_classes = setup.settle_classes(config.num_classes, data.classes)
    start = starting_point.agree(world, spec, loaded, data, num_classes, None)
    config = setup.settle_accumulation(dataclasses.replace(config, **start.options), world)
    on = assembly.machine(spec, config, device)
    trainer.say(setup.ineffective(loaded, device, world, level=on.level, evaluated=False))
    trainer.say(on_card.notes(config, on.level, device, on.card))
    rates = rising(config.lr_from, config.lr_to, config.lr_steps)
    config, of_steps = laid_out(spec, config, rates, data.train.steps_per_epoch, world)
    made = assembly.assemble(spec, config, start, data.train, num_classes, of_steps, on)
    trainer.take_state(made.step, start, config, data.train, world)
    return RateTest(made.step, data.train, rates, config.accumulation_steps)


def laid_out(
    spec: ModelSpec, config: Any, rates: np.ndarray, steps_per_epoch: int, world: World
) -> tuple[Any, np.ndarray]:
    """The rate of every step of the training, float32: those of the test, for as many steps as an update has, then the last.

    What is drawn for all steps of a training is so drawn as there. One that is shorter than the test gets more epochs.
    """
    tested = np.repeat(rates * np.float32(setup.rate_scale(config, world)), config.accumulation_steps)
    epochs = max(config.max_epoch, -(-len(tested) // steps_per_epoch))
    config = dataclasses.replace(config, max_epoch=epochs)
    of_steps = setup.learning_rates(spec, config, steps_per_epoch, world)
    of_steps[:] = tested[-1]
    of_steps[: len(tested)] = tested
    return config, of_steps


def run(test: RateTest, image_size: Sequence[int]) -> Curve:
    """The curve of a test, up to its end or to where the loss diverges; `image_size` is height and width.

    Raises:
        Interrupted: a signal ended it.
    """
    curve, count = Curve(), len(test.rates)
    with (
        runtime.stop_on_signals(ASKED_TO_STOP) as stop,
        bad_images.named(test.data.folders),
        progress.of("lr-find", count, "updates", lines=False) as work,
    ):
        loop.compile_step(test.step, test.data, image_size)
        for update, loss in losses(test):
            curve.add(float(test.rates[update]), loss)
            work.advance()
            if curve.has_diverged or update + 1 == count:
                break
            if stop:
                raise Interrupted(f"stopped after {update + 1} of {count} updates: nothing is written", stop.signal)
    return curve


def losses(test: RateTest) -> Iterator[tuple[int, float]]:
    """The number of each update, from 0, and the mean loss of its batches; the epochs repeat for ever.

    An update that a dynamic loss scale skips is tried again, with the next batches; it is not named.
    """
    batches = itertools.chain.from_iterable(
        test.data.epoch(epoch).create_tuple_iterator(num_epochs=1) for epoch in itertools.count()
    )
    while True:
        before = updates(test.step)
        found = [float(test.step(*batch).asnumpy()) for batch in itertools.islice(batches, test.accumulation)]
        loss = float(np.mean(found))
        if updates(test.step) > before or not np.isfinite(loss):
            yield before, loss


def updates(step: TrainStep) -> int:
    """How many the optimizer has done."""
    return int(step.optimizer.global_step.asnumpy().reshape(-1)[0])
