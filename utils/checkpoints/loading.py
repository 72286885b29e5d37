"""Gives the parameters of a network, or of a training, their values from a checkpoint: all of them, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from mindspore import Parameter, Tensor, nn

from mindzoo.utils.checkpoints.checkpoint_file import AVERAGED, Checkpoint
from mindzoo.utils.checkpoints.fitting import Slot, check_fit
from mindzoo.utils.log import aside

# The schedule is made anew from the configuration, so a run may go on with other epochs; the count of steps, by which
# batches are augmented, from the run's own counts, so it may go on with other augmentation.
NOT_RESTORED = ("learning_rate", "augmented_batches")


def load_into(
    network: nn.Cell,
    checkpoint: Checkpoint,
    *,
    which: str = "averaged",
    without: Collection[str] = (),
    say: bool = True,
) -> None:
    """Load the weights of a checkpoint into its network and, with `say`, log so in one line.

    Args:
        which: "averaged" takes the averaged weights where the file has them, "raw" never.
        without: layers and parameters that keep the weights they have.

    Raises:
        UserError: as `load_weights`.
    """
    kept = load_weights(network, checkpoint.chosen(which), checkpoint.path, without)
    if say:
        total = len(list(network.get_parameters()))
        say_loaded(checkpoint, which, total, kept, without, getattr(network, "flavour", None))


def say_loaded(
    checkpoint: Checkpoint, which: str, total: int, kept: int, without: Collection[str], flavour: str | None
) -> None:
    """Log that all of `total` parameters have their values, of which `kept` had them before."""
    aside(
        "load model %s success: %d of %d parameters loaded, 0 missing, 0 unexpected, 0 mismatched%s; %s of origin %s%s",
        checkpoint.path,
        total - kept,
        total,
        f"; {kept} of {', '.join(without)} as they are" if kept else "",
        "averaged weights" if checkpoint.chosen(which) is checkpoint.averaged else "weights",
        checkpoint.origin,
        f", flavour {flavour}" if flavour else "",
    )


def load_weights(network: nn.Cell, values: Mapping[str, np.ndarray], path: Path, without: Collection[str] = ()) -> int:
    """Give every parameter of `network` its value; nothing is changed where one does not fit.

    Returns:
        How many parameters keep their value, because they are of the layers `without`.

    Raises:
        UserError: with the counts and first names of what is missing, unexpected or of another shape.
    """
    wanted = {parameter.name: parameter for parameter in network.get_parameters()}
    layers = tuple(f"{layer}." for layer in without)
    kept = {name for name in {*wanted, *values} if f"{name}.".startswith(layers)} if layers else set()
    values = {name: value for name, value in values.items() if name not in kept}
    _assign({name: parameter for name, parameter in wanted.items() if name not in kept}, values, path)
    return len(kept & wanted.keys())


def restore(step: nn.Cell, checkpoint: Checkpoint) -> None:
    """Give every parameter of a training step its value: weights, averaged weights, optimizer, loss scale.

    Raises:
        UserError: the checkpoint is of a training with other settings, or not of a training at all.
    """
    values = {**checkpoint.weights, **checkpoint.state}
    values.update({AVERAGED + name: value for name, value in checkpoint.averaged.items()})
    wanted = {parameter.name: parameter for parameter in step.get_parameters()}
    for name in NOT_RESTORED:
        wanted.pop(name, None)
        values.pop(name, None)
    _assign(wanted, values, checkpoint.path, hint="; resume with the settings the run was started with")


def _assign(wanted: Mapping[str, Parameter], values: Mapping[str, np.ndarray], path: Path, hint: str = "") -> None:
    check_fit({name: Slot.of(parameter) for name, parameter in wanted.items()}, values, path, hint)
    for name, parameter in wanted.items():
        parameter.set_data(Tensor(np.asarray(values[name]), parameter.dtype))
