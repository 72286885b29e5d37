"""What weights show of their network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mindzoo.models import bottlenecks
from mindzoo.models.genet_res50.constants import MAP_REDUCTIONS, TOTAL_STRIDE


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a GENet.

    A mean has no weights: without a learnt gather they do not show `image_size`, and without an MLP either they are
    the same with both values of `gather`.
    """
    stages = range(1, len(MAP_REDUCTIONS) + 1)
    needed = ["conv1.weight", *(f"layer{number}.0.conv1.conv.weight" for number in stages)]
    if any(_dimensions(weights, name) != 4 for name in needed):
        return None
    blocks = {tuple(name.split(".")[:2]) for name in weights}
    options: dict[str, Any] = {
        "mlp": "layer1.0.mlpLayer.0.weight" in weights,
        "extra": _dimensions(weights, "layer4.0.downop.0.weight") == 4,
        "layers": tuple(sum(layer == f"layer{number}" for layer, *_ in blocks) for number in stages),
        "base_width": len(weights["conv1.weight"]),
    }
    if options["extra"]:
        height, width = weights["layer4.0.downop.0.weight"].shape[2:]
        options["image_size"] = (TOTAL_STRIDE * height, TOTAL_STRIDE * width)
        # Of the original zoo's gather the third cell is a depthwise convolution, of the paper's a ReLU.
        options["gather"] = "zoo" if "layer1.0.downop.2.weight" in weights else "paper"
    elif options["mlp"]:
        options["gather"] = "paper" if "layer1.0.mlpLayer.0.bias" in weights else "zoo"
    return options


def at_least(options: Mapping[str, Any], num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a network with these options has at least."""
    layers, width = options["layers"], options["base_width"]
    parameters, numbers = bottlenecks.at_least(layers, width, num_classes)
    if options[
        "extra"
    ]:  # a kernel as large as the map for each channel; the zoo's first ones are half as high and wide
        for layer, (blocks, reduction) in enumerate(zip(layers, MAP_REDUCTIONS, strict=True)):
            kernel = math.prod(side // (2 * reduction) for side in options["image_size"])
            numbers += blocks * kernel * (4 * width << layer)
    return parameters, numbers


def _dimensions(weights: Mapping[str, np.ndarray], name: str) -> int:
    return weights[name].ndim if name in weights else 0
