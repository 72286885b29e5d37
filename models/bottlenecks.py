"""Counts of the networks that are made of bottlenecks; none of it needs MindSpore."""

from __future__ import annotations

from collections.abc import Sequence

# Three convolutions with a batch norm each, and their numbers as a multiple of the inner width's square, where the
# input has no more channels than the inside.
PARAMETERS, SQUARES = 15, 14
OUTPUTS = 32  # channels of the last map, as a multiple of the first convolution's


def at_least(layers: Sequence[int], base_width: int, num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a ResNet of such layers has at least, and that its classifier has."""
    numbers = sum(SQUARES * blocks * (base_width << layer) ** 2 for layer, blocks in enumerate(layers))
    return PARAMETERS * sum(layers), numbers + OUTPUTS * base_width * num_classes
