"""What weights show of their network, and what foreign weights are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mindzoo.models import bottlenecks
from mindzoo.models.hrnet_w48.constants import EMBEDDING, STEM_CHANNELS

LAYERS = re.compile(
    r"(conv[12]|bn[12]|layer1|transition[123]|stage[234]|incre_modules|downsamp_modules|final_layer|classifier)\."
)
# mindcv's words for the shortcut and for a part of the head; mmpretrain's for its parts, and for a convolution with its norm.
OTHER_WORDS = (
    (r"^backbone\.((?:conv|bn)[12]|layer1|transition[123]|stage[234])\.", r"\1."),
    (r"^neck\.increase_layers\.", "incre_modules."),
    (r"^neck\.(downsample_layers\.\d+|final_layer)\.conv\.", r"\1.0."),
    (r"^neck\.(downsample_layers\.\d+|final_layer)\.bn\.", r"\1.1."),
    (r"^head\.fc\.", "classifier."),
    (r"^downsample_(?:modules|layers)\.", "downsamp_modules."),
    (r"\.down_sample\.", ".downsample."),
)
BIASED = re.compile(r"(?:downsamp_modules\.\d+|final_layer)\.0\.weight")
# Of a basic block: two convolutions with a batch norm each, and their numbers as a multiple of the width's square.
PARAMETERS, SQUARES = 10, 18


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of an HRNet."""
    width, head_width = (
        _filters(weights, name) for name in ("transition1.0.0.weight", "incre_modules.0.0.conv1.weight")
    )
    modules = {name: len(_numbers(weights, name)) for name in ("stage2", "stage3", "stage4")}
    blocks = len(_numbers(weights, "layer1"))
    if not (width and head_width and modules["stage2"] and blocks):
        return None
    return {
        "width": width,
        "modules": tuple(count for count in modules.values() if count),
        "blocks": blocks,
        "head_width": head_width,
    }


def _filters(weights: Mapping[str, np.ndarray], name: str) -> int:
    """Of a convolution; 0 where there is none of that name."""
    return len(weights[name]) if name in weights and weights[name].ndim == 4 else 0


def _numbers(weights: Mapping[str, np.ndarray], name: str) -> set[str]:
    """Those that stand behind a name: 0, 1, 2, ..."""
    return {parts[1] for parts in (key.split(".") for key in weights) if parts[0] == name and len(parts) > 1}


def at_least(options: Mapping[str, Any], num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a network with these options has at least."""
    blocks, parameters, numbers = options["blocks"], 0, 0
    for branches, modules in enumerate(options["modules"], 2):
        parameters += PARAMETERS * modules * branches * blocks
        numbers += SQUARES * modules * blocks * sum((options["width"] << branch) ** 2 for branch in range(branches))
    parameters += bottlenecks.PARAMETERS * blocks
    numbers += bottlenecks.SQUARES * blocks * STEM_CHANNELS**2
    # The last convolution, on four channels for each inside a bottleneck of the head, and the classifier.
    inside, embedding = options["head_width"] << len(options["modules"]), EMBEDDING * options["head_width"]
    return parameters, numbers + 4 * inside * embedding + embedding * num_classes


def from_torch(name: str) -> str | None:
    """The authors' and timm's structure names are ours, mindcv's and mmpretrain's nearly; None for names of other layers."""
    for pattern, ours in OTHER_WORDS:
        name = re.sub(pattern, ours, name)
    return name if LAYERS.match(name) else None


def absent(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Zeros for the biases of the head's convolutions, of which mindcv's and mmpretrain's networks have none."""
    biased = [name.removesuffix("weight") for name in weights if BIASED.fullmatch(name) and weights[name].ndim == 4]
    if any(f"{layer}bias" in weights for layer in biased):
        return {}
    return {f"{layer}bias": np.zeros(len(weights[f"{layer}weight"]), np.float32) for layer in biased}
