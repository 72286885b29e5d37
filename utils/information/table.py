"""Layers folded into blocks, and tables of words."""

from __future__ import annotations

from collections.abc import Sequence

from mindzoo.utils.information.cost import Layer


def folded(layers: Sequence[Layer], depth: int) -> list[Layer]:
    """One line for each name cut after `depth` parts, in the order of the first layer in it; 0: all layers.

    A folded line has the output shape of its last layer, and the sums of the others' figures.
    """
    if not depth:
        return list(layers)
    blocks: dict[str, Layer] = {}
    for layer in layers:
        name = ".".join(layer.name.split(".")[:depth])
        block = blocks.setdefault(name, Layer(name, layer.kind if name == layer.name else "block"))
        block.shape = layer.shape
        block.parameters += layer.parameters
        block.multiply_adds += layer.multiply_adds
        block.values += layer.values
    return list(blocks.values())


def lines(layers: Sequence[Layer]) -> list[str]:
    """The table as text: names left, numbers right."""
    rows = [("layer", "kind", "output", "parameters", "multiply-adds")]
    rows += [
        (one.name, one.kind, "x".join(map(str, one.shape)), f"{one.parameters:,}", f"{one.multiply_adds:,}")
        for one in layers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        "  ".join(
            word.ljust(width) if column < 3 else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
