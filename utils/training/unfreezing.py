"""What is frozen at first and trained later: the step is built anew in the middle of a training, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mindspore import Tensor, nn

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning.adamw import AdamW
from mindzoo.utils.learning.freeze import Frozen
from mindzoo.utils.learning.sync_batch_norm import synchronise
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import logger
from mindzoo.utils.training import native_road
from mindzoo.utils.training.state import RunState


@dataclass(frozen=True)
class Thaw:
    """When and how a training begins to train what it had frozen.

    A checkpoint from before has the optimizer's state of the other parameters alone, one from later that of all, so each says
    by itself which it is: see `Frozen.are_trained_in`.
    """

    frozen: Frozen
    step: int  # steps that are done by then
    network: nn.Cell
    build: Callable[[nn.Cell], TrainStep]  # (what the step before computes with) -> a step over all that may be trained

    def apply(self, run: RunState) -> None:
        """Give the run a step that trains all; what is new in its state is as at the start of a training."""
        before = run.train_step
        logger.info("after %d epochs: %s", self.step // run.steps_per_epoch, self.frozen.thaw())
        if run.config.sync_batch_norm and run.world.connected:
            synchronise(self.network, run.world.size)
        native_road.renew(self.network)
        run.train_step = self.build(before.network)
        take_over(run.train_step, before)


def planned(
    config: TrainConfig, frozen: Frozen, steps_per_epoch: int, network: nn.Cell, build: Callable[[nn.Cell], TrainStep]
) -> Thaw | None:
    """The thaw that a training has before it; None where it has none, or none any more."""
    if not (config.thaws and frozen.parameters):
        return None
    return Thaw(frozen, config.unfreeze_epoch * steps_per_epoch, network, build)


def take_over(step: TrainStep, before: TrainStep) -> None:
    """Give every parameter of `step` the value of that name in `before`, where there is one.

    Moments that are corrected by one count of updates begin anew together.
    """
    anew = step.optimizer.counted_together if isinstance(step.optimizer, AdamW) else set()
    values = {parameter.name: parameter for parameter in before.get_parameters() if parameter.name not in anew}
    for parameter in step.get_parameters():
        value = values.get(parameter.name, parameter)
        if value is not parameter:
            parameter.set_data(Tensor(value.asnumpy()))
