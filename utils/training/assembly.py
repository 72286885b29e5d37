"""The network and the step of a training, put together of what `setup` makes: for a training, and for a test of its rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mindspore import nn

from mindzoo.utils.cluster.card import Card
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.learning.freeze import Frozen
from mindzoo.utils.learning.overflow import StatusRegisters
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.native.update import fuse
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import native_road, on_card, setup
from mindzoo.utils.training.starting_point import StartingPoint


@dataclass(frozen=True)
class Machine:
    """What a training computes on, and how precisely."""

    device: str
    card: Card
    level: str  # of mixed precision, O0 to O3
    registers: StatusRegisters | None  # see `TrainStep`


def machine(spec: ModelSpec, config: TrainConfig, device: str) -> Machine:
    """What the configuration means on this device. MindSpore is told how to compile, before anything is.

    Raises:
        UserError: this card does not know what is asked for.
    """
    card, level = on_card.find(device), on_card.precision(spec, config, device)
    on_card.set_jit_level(config, device, card)
    registers = on_card.registers(config, device, card, second_order=setup.step_kind(config) is not TrainStep)
    return Machine(device, card, level, registers)


@dataclass(frozen=True)
class Assembled:
    """A network with the step that trains it."""

    network: nn.Cell  # images -> logits
    frozen: Frozen  # what is frozen at first
    native: bool  # whether it computes by native operators
    step: TrainStep
    build: Callable[[nn.Cell], TrainStep]  # another step, over what may be trained by then


def assemble(
    spec: ModelSpec,
    config: TrainConfig,
    start: StartingPoint,
    data: TrainData,
    num_classes: int,
    rates: np.ndarray,
    on: Machine,
) -> Assembled:
    """The network with the weights that it starts from, and its step with the learning rate of each step, float32.

    Raises:
        UserError: values that do not fit the network, or each other.
    """
    world: World = data.world
    network, frozen = setup.make_network(spec, config, start, num_classes, world)
    native = native_road.take(config, network, world)
    plain_loss = setup.build_loss(config, num_classes, data.folders.labels)
    forward, loss = spec.objective(config, network, plain_loss, world.rank)

    def build(computing: nn.Cell) -> TrainStep:
        on_card.fuse_gradients(spec, forward, on.device, world)
        step = setup.step_over(config, computing, loss, rates, on.level, world, on.registers, spec.stages)
        if native:
            fuse(step.optimizer)
        return step

    return Assembled(network, frozen, native, build(setup.in_precision(forward, on.level)), build)
