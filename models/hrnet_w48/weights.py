"""What weights show of their network, and what foreign weights are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np


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


def from_torch(name: str) -> str | None:
    """The authors' and timm's structure names are ours; None for names of other layers, such as a detector's."""
    ours = (
        r"(conv[12]|bn[12]|layer1|transition[123]|stage[234]|incre_modules|downsamp_modules|final_layer|classifier)\."
    )
    return name if re.match(ours, name) else None
