"""What weights show of their network, and what foreign weights are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np


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


def from_torch(name: str) -> str | None:
    """torchvision's and timm's structure names -> ours; old torchvision files write `norm.1` for `norm1`."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name)
    name = re.sub(r"denselayer(\d+)", lambda match: f"cell_list.{int(match[1]) - 1}", name)
    name = re.sub(r"(transition\d+)\.", r"\1.features.", name)
    if name.startswith("classifier."):
        return name.replace("classifier.", "head.fc.")
    return f"backbone.{name}" if name.startswith("features.") else None
