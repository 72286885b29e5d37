"""Colours for values from 0 to 1: from dark blue to light yellow, ever lighter, so that nobody needs to tell red from green."""

from __future__ import annotations

import numpy as np

COLORS = ((9, 20, 74), (49, 74, 140), (112, 132, 143), (206, 178, 84), (255, 242, 158))


def colors(values: np.ndarray) -> np.ndarray:
    """Values (...) in 0..1 -> (..., 3) uint8 RGB."""
    ends = np.linspace(0, 1, len(COLORS))
    channels = [np.interp(values, ends, [color[channel] for color in COLORS]) for channel in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


def css() -> str:
    """The same colours from left to right, for `background`."""
    return f"linear-gradient(90deg, {', '.join('rgb({}, {}, {})'.format(*color) for color in COLORS)})"
