"""Layers folded into blocks, and tables of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
        block.sees_whole_map |= layer.sees_whole_map
    return list(blocks.values())


def layer_lines(layers: Iterable[Layer]) -> list[str]:
    """The table of layers as text."""
    rows: list[tuple[str, ...]] = [("layer", "kind", "output", "values", "parameters", "multiply-adds")]
    rows += [
        (
            one.name,
            one.kind,
            " x ".join(map(str, one.shape)),
            *(f"{number:,}" for number in (one.values, one.parameters, one.multiply_adds)),
        )
        for one in layers
    ]
    return aligned(rows, numbers=3)


def aligned(rows: Sequence[Sequence[str]], numbers: int = 0) -> list[str]:
    """Rows as lines with their columns below each other; the last `numbers` columns stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = len(widths) - numbers
    return [
        "  ".join(
            word.ljust(width) if column < words else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
