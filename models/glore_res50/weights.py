"""What weights show of their network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mindzoo.models import bottlenecks


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a GloRe-ResNet."""
    stem = weights.get("conv1.conv_3.weight")
    pattern = r"layer([1-4])\.\d+\.conv3\.weight"
    blocks = Counter(int(match[1]) for match in (re.fullmatch(pattern, name) for name in weights) if match)
    if stem is None or stem.ndim != 4 or len(blocks) != 4:
        return None
    units = any(re.fullmatch(r"layer3\.\d+\.gcn\.conv1\.weight", name) for name in weights)
    options = {
        "use_glore": units,
        "layers": tuple(blocks[number] for number in range(1, 5)),
        "base_width": len(stem),
    }
    if units:
        options["unit"] = "paper" if any(".blocker." in name for name in weights) else "zoo"
    return options


def at_least(options: Mapping[str, Any], num_classes: int) -> tuple[int, int]:
    """Parameters and numbers that a network with these options has at least."""
    return bottlenecks.at_least(options["layers"], options["base_width"], num_classes)
