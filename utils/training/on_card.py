"""What a training does otherwise on an Ascend card, and on which generation of it.

Nothing of this has been run on a card: it follows MindSpore's source and Ascend's documents.
"""

from __future__ import annotations

from collections.abc import Iterator

import mindspore as ms
from mindspore import nn

from mindzoo.utils import compat
from mindzoo.utils.cluster import card as cards
from mindzoo.utils.cluster.card import Card
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.overflow import StatusRegisters
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training.feed import HostFeed, QueueFeed, Sink

ASCEND = "Ascend"
# Megabytes of gradients in one all-reduce, so that the first ones travel while the backward pass goes on.
FUSION_MB = 32


def find(device: str) -> Card:
    """The card that the training computes on; `cards.NONE` on another device."""
    return cards.find(compat.soc_version) if device == ASCEND else cards.NONE


def precision(spec: ModelSpec, config: TrainConfig, device: str) -> str:
    """The level of mixed precision that `auto` means on this device."""
    if config.amp_level != "auto":
        return config.amp_level
    return spec.ascend_precision if device == ASCEND else "O0"


def registers(config: TrainConfig, device: str, card: Card, *, second_order: bool) -> StatusRegisters | None:
    """What tells a dynamic loss scale of an overflow; None: gradients are no longer finite after one.

    Raises:
        UserError: on this card neither would be right.
    """
    if not config.is_dynamic_loss_scale or device != ASCEND:
        return None
    if not card.generation:
        raise UserError(
            f"is_dynamic_loss_scale is true, and how {card} shows an overflow is not known; wanted a 910A, A2 or A3: "
            "use --is_dynamic_loss_scale false"
        )
    if card.saturates and second_order:
        raise UserError(
            f"is_dynamic_loss_scale is true with optimizer {config.optimizer}, and {card} saturates: an overflow in the "
            "second-order factors would not be seen; use --is_dynamic_loss_scale false, or --optimizer momentum"
        )
    return StatusRegisters() if card.saturates else None


def set_jit_level(config: TrainConfig, device: str, card: Card) -> None:
    """Tell MindSpore how to compile, before anything is.

    Raises:
        UserError: this card knows no such level.
    """
    if device != ASCEND or config.jit_level == "auto":
        return
    if config.jit_level == "O2" and card.generation != "910A":
        raise UserError(
            f"jit_level is O2, and this is {card}; wanted O0 or O1: MindSpore compiles whole graphs for the 910A only"
        )
    ms.set_context(jit_config={"jit_level": config.jit_level})


def sink(config: TrainConfig, device: str, card: Card, step: type[TrainStep]) -> Sink | None:
    """How blocks of steps of this kind are fed; None: the steps run one by one.

    A 910A runs whole graphs, and a loop over one where all of it is one graph. Later cards go through it operator by
    operator; a loop would be the host's, and is ours then.
    """
    if not (config.sink_mode and step.can_sink) or (device != ASCEND and not config.sink_size):
        return None
    if device != ASCEND:
        return Sink(HostFeed)
    branches = config.accumulation_steps > 1 or config.is_dynamic_loss_scale
    return Sink(QueueFeed, loops=card.generation == "910A" and config.jit_level in ("auto", "O2") and not branches)


def notes(config: TrainConfig, level: str, device: str, card: Card) -> Iterator[str]:
    """What the user of this card should know of numbers that get too large."""
    if device != ASCEND:
        return
    yield f"computing on {card}"
    if card.saturates:
        yield (
            "on this card a number that is too large becomes the largest one: a loss that is not finite is never seen"
            + ("" if config.is_dynamic_loss_scale else "; --is_dynamic_loss_scale true skips updates that overflowed")
        )
    elif level != "O0" and not config.is_dynamic_loss_scale:
        yield (
            f"the loss scale is always {config.loss_scale:g}: one overflow of float16 makes the weights NaN; "
            "--is_dynamic_loss_scale true skips such updates"
        )


def fuse_gradients(spec: ModelSpec, network: nn.Cell, device: str, world: World) -> None:
    """Say which gradients travel together: those the network's original sent so, else by size. Before the step is built."""
    fusion = fusion_of(spec, len(network.trainable_params()))
    if device == ASCEND and world.connected:
        ms.set_auto_parallel_context(comm_fusion={"allreduce": fusion})


def fusion_of(spec: ModelSpec, count: int) -> dict[str, object]:
    """What `set_auto_parallel_context` takes, for `count` gradients: fewer than the original's are split by size."""
    if spec.allreduce_splits and max(spec.allreduce_splits) < count:
        return {"mode": "index", "config": list(spec.allreduce_splits)}
    return {"mode": "size", "config": FUSION_MB}
