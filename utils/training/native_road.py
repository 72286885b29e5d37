"""Whether a training computes by the native operators, and how a run says so."""

from __future__ import annotations

import mindspore as ms
from mindspore import nn

from mindzoo.utils import environment
from mindzoo.utils.cluster.cores import computing_threads
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.learning_keys import NATIVE_CHOICES
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside
from mindzoo.utils.native import library
from mindzoo.utils.native.building import UnavailableError
from mindzoo.utils.runtime import World

VARIABLE = "MINDZOO_NATIVE"
CPU = "CPU"


def take(config: TrainConfig, network: nn.Cell, world: World) -> bool:
    """Turn `network` to the native operators where they are wanted and can be used; whether it did.

    Raises:
        UserError: they are asked for with "on", and cannot be used; or the variable has a value that means nothing.
    """
    wanted = _asked_for(config)
    reason = obstacle(config, world) or _turned(network)
    if reason is None:
        aside("computing by native operators: %s", library.description())
    elif wanted == "on":
        raise UserError(f"native is on, and native operators cannot be used: {reason}; use --native auto or off")
    elif wanted == "auto" and _device() == CPU:
        aside("computing by MindSpore's own operators: %s", reason)
    return reason is None


def renew(network: nn.Cell) -> None:
    """Let a network that was turned take up what has changed in it; any other stays as it is."""
    from mindzoo.utils.native.channels_last import prepare

    prepare([cell for _, cell in network.cells_and_names()])


def name(native: bool) -> str:
    """By which operators a training computes: results are the same to the bit only by the same ones."""
    return f"native in {computing_threads()} threads" if native else "MindSpore's"


def obstacle(config: TrainConfig, world: World) -> str | None:
    """What in the configuration speaks against the native operators; None if nothing does."""
    if _asked_for(config) == "off":
        return "native is off"
    if _device() != CPU:
        return f"they are for CPUs, and this is {_device()}"
    if config.amp_level not in ("auto", "O0"):
        return f"they compute in float32, and amp_level is {config.amp_level}"
    if config.optimizer == "thor":
        return "the optimizer thor watches MindSpore's own convolutions"
    if config.sync_batch_norm and world.connected:
        return "sync_batch_norm needs the statistics of all ranks"
    return None


def _asked_for(config: TrainConfig) -> str:
    return environment.asked_for(config.native, VARIABLE, NATIVE_CHOICES)


def _turned(network: nn.Cell) -> str | None:
    from mindzoo.utils.native.channels_last import convert

    try:
        convert(network)
    except UnavailableError as error:
        return str(error)
    return None


def _device() -> str:
    return str(ms.get_context("device_target"))
