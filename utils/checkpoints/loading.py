"""Gives the parameters of a network, or of a training, their values from a checkpoint: all of them, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore import dtype as mstype

from mindzoo.utils.checkpoints.checkpoint_file import AVERAGED, Checkpoint
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger

# The schedule is made anew from the configuration, so a run may go on with other epochs.
NOT_RESTORED = ("learning_rate",)


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
    values = checkpoint.chosen(which)
    kept = load_weights(network, values, checkpoint.path, without)
    if not say:
        return
    total = len(list(network.get_parameters()))
    flavour = getattr(network, "flavour", None)
    logger.info(
        "load model %s success: %d of %d parameters loaded, 0 missing, 0 unexpected, 0 mismatched%s; %s of origin %s%s",
        checkpoint.path,
        total - kept,
        total,
        f"; {kept} of {', '.join(without)} as they are" if kept else "",
        "averaged weights" if values is checkpoint.averaged else "weights",
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
    missing = [name for name in wanted if name not in values]
    unexpected = [name for name in values if name not in wanted]
    other = [
        f"{name} {values[name].shape} instead of {wanted[name].shape}"
        for name in wanted
        if name in values and tuple(values[name].shape) != tuple(wanted[name].shape)
    ]
    kinds = [name for name in wanted if name in values and not _can_be(values[name], wanted[name])]
    problems = [
        f"{len(names)} {word} ({shorten(names, 1)})"
        for word, names in (
            ("missing", missing), ("unexpected", unexpected), ("of another shape", other), ("of another type", kinds),
        )
        if names
    ]  # fmt: skip
    if problems:
        fitting = len(wanted) - len({*missing, *(name.partition(" ")[0] for name in other), *kinds})
        raise UserError(
            f"{path} does not fit: {fitting} of {len(wanted)} parameters match, {', '.join(problems)}{hint}"
        )
    for name, parameter in wanted.items():
        parameter.set_data(Tensor(np.asarray(values[name]), parameter.dtype))


def _can_be(value: np.ndarray, parameter: Parameter) -> bool:
    """Whether the numbers are of a kind that the parameter's can be made of: fractions only of fractions."""
    return value.dtype.kind == "f" or (value.dtype.kind in "iub" and parameter.dtype not in mstype.float_type)
