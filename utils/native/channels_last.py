"""A network turned from (N, C, H, W) to (N, H, W, C)."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import nn

from mindzoo.utils.native import cells
from mindzoo.utils.native.building import UnavailableError
from mindzoo.utils.native.library import opened


def convert(network: nn.Cell) -> None:
    """Let `network` compute by the native operators: same inputs, outputs, parameters, values and names.

    Raises:
        UnavailableError: the operators cannot be used here, or the network was not written for it; nothing is changed.
    """
    found = [cell for _, cell in network.cells_and_names()]
    if not any(hasattr(cell, "channels_last") for cell in found):
        raise UnavailableError("the network has no form for channels last")
    turned = {id(cell): _turned(cell) for cell in found}
    opened()
    for cell in found:
        kind = turned[id(cell)]
        if kind:
            cell.__class__ = kind
        if hasattr(cell, "channels_last"):
            cell.channels_last = True
    prepare(found)


def prepare(found: Sequence[nn.Cell]) -> None:
    """Let turned cells take up what they and the cells inside them are now; `found` has a cell before those inside it."""
    for cell in reversed(found):
        if hasattr(cell, "prepare"):
            cell.prepare()


def _turned(cell: nn.Cell) -> type[nn.Cell] | None:
    """Its class for channels last; None if it keeps its own."""
    if hasattr(cell, "native"):
        return getattr(cells, cell.native)
    kind = cells.CLASSES.get(type(cell))
    if kind is None and any(parameter.ndim == 4 for parameter in cell.parameters_dict(recurse=False).values()):
        raise UnavailableError(f"its {type(cell).__name__} has no form for channels last")
    return kind
