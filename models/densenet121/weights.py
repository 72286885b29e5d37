"""What weights show of their network, and what foreign weights are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

# Of a layer: two convolutions, with a batch norm each. Its first one has so many times the outputs of the second.
PARAMETERS, WIDENING = 10, 4


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a DenseNet."""
    first = weights.get("backbone.features.conv0.weight")
    pattern = r"backbone\.features\.denseblock(\d+)\.cell_list\.(\d+)\.conv2\.weight"
    layers = [match for match in (re.fullmatch(pattern, name) for name in weights) if match]
    if first is None or not layers:
        return None
    blocks = Counter(int(match[1]) for match in layers)
    return {
        "block_config": tuple(blocks[number] for number in sorted(blocks)),
        "growth_rate": len(weights[layers[0][0]]),
        "init_features": len(first),
    }


def at_least(options: Mapping[str, Any], num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a network with these options has at least."""
    growth, channels, parameters, numbers = options["growth_rate"], options["init_features"], 0, 0
    for layers in options["block_config"]:
        parameters += PARAMETERS * layers
        added = growth * layers * (layers - 1) // 2  # to the inputs of the layers, beyond those of the first
        numbers += WIDENING * growth * (channels * layers + added + 9 * growth * layers)
        channels = (channels + growth * layers) // 2
    return parameters, numbers + channels * num_classes


def from_torch(name: str) -> str | None:
    """Structure names of torchvision, timm, mindcv and mmpretrain -> ours; old torchvision files write `norm.1` for `norm1`."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name)
    name = re.sub(r"denselayer(\d+)", lambda match: f"cell_list.{int(match[1]) - 1}", name)
    name = re.sub(r"(transition\d+)\.(?!features)", r"\1.features.", name)
    if name.startswith("classifier."):
        return name.replace("classifier.", "head.fc.")
    if name.startswith("features."):
        return f"backbone.{name}"
    return _from_mmpretrain(name)


def _from_mmpretrain(name: str) -> str | None:
    """Its parts are numbered from 0 in lists, and the last of its transitions is the last batch norm."""
    name = re.sub(r"^backbone\.stem\.0\.", "backbone.features.conv0.", name)
    name = re.sub(r"^backbone\.stem\.1\.", "backbone.features.norm0.", name)
    name = re.sub(r"^backbone\.transitions\.\d+\.0\.", "backbone.features.norm5.", name)
    layer = r"^backbone\.stages\.(\d+)\.block\.(\d+)\."
    name = re.sub(layer, lambda match: f"backbone.features.denseblock{int(match[1]) + 1}.cell_list.{match[2]}.", name)
    transition = r"^backbone\.transitions\.(\d+)\.(norm|conv)\."
    name = re.sub(
        transition, lambda match: f"backbone.features.transition{int(match[1]) + 1}.features.{match[2]}.", name
    )
    return name if name.startswith(("backbone.features.", "head.fc.")) else None
