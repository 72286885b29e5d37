"""Parameters that a training leaves as they are."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from mindspore import nn

from mindzoo.utils.errors import UserError, shorten


def freeze(network: nn.Cell, patterns: Sequence[str]) -> list[str]:
    """Take the parameters that match a pattern out of training; return the lines that say what that means.

    A batch norm whose gamma and beta are both frozen normalises with its stored statistics, as in an evaluation, and
    leaves them as they are: otherwise a frozen layer would still change.

    Args:
        patterns: names of parameters, as in a shell: `layer1.*`.

    Raises:
        UserError: a pattern that matches nothing, or nothing left to train.
    """
    if not patterns:
        return []
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
    return [
        f"frozen: {len(frozen)} of {len(names)} parameters ({shorten(sorted(frozen))}); {trained:,} numbers are trained",
        f"batch norm: {len(still)} of {norms} layers are frozen and use their stored statistics; the others use those "
        "of the batch",
    ]
