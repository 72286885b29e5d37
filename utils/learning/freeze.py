"""Parameters that a training leaves as they are, or that it begins to train later."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mindspore import Parameter, nn

from mindzoo.utils.errors import UserError, shorten


@dataclass(frozen=True)
class Frozen:
    """What is not trained, and the lines that say what that means; by default nothing."""

    parameters: tuple[Parameter, ...] = ()
    norms: tuple[nn.Cell, ...] = ()  # batch norms that keep their statistics
    lines: tuple[str, ...] = ()

    def thaw(self) -> str:
        """Let them be trained from now on, as the others are, and say so; whatever was built over them is built anew."""
        for parameter in self.parameters:
            parameter.requires_grad = True
        for norm in self.norms:
            norm.use_batch_statistics = None
        return (
            f"no longer frozen: {len(self.parameters)} parameters, and {len(self.norms)} batch norms, which use the statistics of "
            "the batch from now on"
        )

    def are_trained_in(self, state: Iterable[str]) -> bool:
        """Whether an optimizer's state, which is named KIND.PARAMETER, is one of these too."""
        names = {parameter.name for parameter in self.parameters}
        return any(name.partition(".")[2] in names for name in state)


def freeze(network: nn.Cell, patterns: Sequence[str]) -> Frozen:
    """Take the parameters that match a pattern out of training.

    A batch norm whose gamma and beta are both frozen normalises with its stored statistics, as in an evaluation, and
    leaves them as they are: otherwise a frozen layer would still change.

    Args:
        patterns: names of parameters, as in a shell: `layer1.*`.

    Raises:
        UserError: a pattern that matches nothing, or nothing left to train.
    """
    if not patterns:
        return Frozen()
    parameters = network.trainable_params()
    names = [parameter.name for parameter in parameters]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise UserError(f"freeze is {pattern}, which no parameter matches; they are {shorten(names)}")
    frozen = {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
    if len(frozen) == len(names):
        raise UserError(f"freeze is {','.join(patterns)}, which leaves no parameter to train; freeze fewer")
    for parameter in parameters:
        parameter.requires_grad = parameter.name not in frozen
    still = [
        cell
        for _, cell in network.cells_and_names()
        if isinstance(cell, nn.BatchNorm2d) and {cell.gamma.name, cell.beta.name} <= frozen
    ]
    for cell in still:
        cell.use_batch_statistics = False
    norms = sum(isinstance(cell, nn.BatchNorm2d) for _, cell in network.cells_and_names())
    trained = sum(parameter.size for parameter in network.trainable_params())
    lines = (
        f"frozen: {len(frozen)} of {len(names)} parameters ({shorten(sorted(frozen))}); {trained:,} numbers are trained",
        f"batch norm: {len(still)} of {norms} layers are frozen and use their stored statistics; the others use those "
        "of the batch",
    )
    return Frozen(tuple(parameter for parameter in parameters if parameter.name in frozen), tuple(still), lines)
