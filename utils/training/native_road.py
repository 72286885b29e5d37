"""Whether a training computes by the native operators, and how a run says so."""

from __future__ import annotations

import os

from mindspore import nn

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World

VARIABLE = "MINDZOO_NATIVE"
CHOICES = ("auto", "on", "off")


def take(config: TrainConfig, network: nn.Cell, device: str, level: str, world: World, kind: type[TrainStep]) -> bool:
    """Turn `network` to the native operators where the configuration wants it and they can be used; whether it did.

    Raises:
        UserError: they are asked for with "on", and cannot be used.
    """
    wanted = settled(config.native)
    if wanted == "off" or (wanted == "auto" and device != "CPU"):
        return False
    reason = _obstacle(config, device, level, world, kind) or _turned(network)
    if reason is None:
        return True
    if wanted == "on":
        raise UserError(f"native is on, and the native operators cannot be used: {reason}; use --native auto or off")
    logger.info("computing by MindSpore's own operators: %s", reason)
    return False


def settled(native: str) -> str:
    """What the key says, or where it says "auto" the environment.

    Raises:
        UserError: the environment says something else.
    """
    told = os.environ.get(VARIABLE, "auto")
    if told not in CHOICES:
        raise UserError(f"{VARIABLE} is {told!r}; wanted one of {', '.join(CHOICES)}")
    return told if native == "auto" else native


def _obstacle(config: TrainConfig, device: str, level: str, world: World, kind: type[TrainStep]) -> str | None:
    if device != "CPU":
        return f"they are for CPUs, and this is {device}"
    if level != "O0":
        return f"they compute in float32, and amp_level is {level}"
    if kind is not TrainStep:
        return f"the optimizer {config.optimizer} watches MindSpore's own convolutions"
    if config.sync_batch_norm and world.connected:
        return "sync_batch_norm needs the statistics of all ranks"
    return None


def _turned(network: nn.Cell) -> str | None:
    """Why the network could not be turned; None if it was."""
    from mindzoo.utils.native import channels_last, library

    try:
        channels_last.convert(network)
    except library.Unavailable as error:
        return str(error)
    logger.info("computing by native operators: %s", library.description())
    return None
