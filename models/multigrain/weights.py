"""What weights show of their network, and what foreign weights are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mindzoo.models import bottlenecks
from mindzoo.models.multigrain.constants import LAYERS

TRUNK = re.compile(
    r"(?:features\.|backbone\.)?((?:conv1|bn1|layer[1-4]\.\d+\.(?:conv[123]|bn[123]|downsample\.[01]))\.\w+)"
)
CLASSIFIER = re.compile(r"(?:classifier|fc|head\.fc)\.(weight|bias)")
OTHERS = {
    "pool.p": "pool.p",
    "whitening.pca.pca_P": "whitening.projection",
    "whitening.pca.pca_m": "whitening.mean",
}


def from_torch(name: str) -> str | None:
    """Names of the authors' files and of torchvision's, timm's and mmpretrain's ResNets -> ours; None for any other name."""
    if found := TRUNK.fullmatch(name):
        return found[1].replace("downsample", "down_sample_layer")
    if found := CLASSIFIER.fullmatch(name):
        return f"end_point.{found[1]}"
    return OTHERS.get(name)


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are not weights of one of the backbones."""
    stem = next((weights[name] for name in ("conv1_2.weight", "conv1.weight") if name in weights), None)
    layers = tuple(_blocks(weights, number) for number in range(1, 5))
    if stem is None or stem.ndim != 4 or 0 in layers:
        return None
    se = "conv1_2.weight" in weights
    return {
        "backbone": "se_resnet50" if se else "resnet101" if layers == LAYERS["resnet101"] else "resnet50",
        "layers": layers,
        "base_width": len(stem),
        "whitening": "whitening.projection" in weights,
    }


def at_least(options: Mapping[str, Any], num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a network with these options has at least."""
    width = options["base_width"]
    parameters, numbers = bottlenecks.at_least(options["layers"], width, num_classes)
    return parameters, numbers + (bottlenecks.OUTPUTS * width) ** 2 * options["whitening"]


def _blocks(weights: Mapping[str, np.ndarray], layer: int) -> int:
    """How many bottlenecks without a gap from the first the layer has."""
    count = 0
    while f"layer{layer}.{count}.conv3.weight" in weights:
        count += 1
    return count
