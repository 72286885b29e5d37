"""Occlusion: how much less probable a class is where a part of the image is hidden.

Paper: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, https://arxiv.org/abs/1311.2901,
section 4.2. It asks the network as it is and needs no gradient, so it is a check of what takes gradients.
"""

from __future__ import annotations

import numpy as np

from mindzoo.utils.engine.runners import Runner

CELLS = 12  # of the grid, per side; a window hides two by two of them
WINDOWS = CELLS - 1  # per side


class Occlusion:
    """An image (3, H, W) float32 and a class -> how much the class lost, (CELLS, CELLS) float32 in -1..1.

    A cell has the mean of the windows that hide it. A window is grey: the mean of the pixels that the network was trained on, which
    is 0 once an image is normalised.

    Args:
        logits: images (B, 3, H, W) -> (B, K).
    """

    def __init__(self, logits: Runner) -> None:
        self.logits = logits
        self.prepared = False

    def __call__(self, image: np.ndarray, chosen: int) -> np.ndarray:
        if not self.prepared:
            self.logits.prepare((WINDOWS, *image.shape))
            self.prepared = True
        whole = self._probabilities(np.repeat(image[None], WINDOWS, 0), chosen)[0]
        rows = [self._probabilities(hidden_row(image, row), chosen) for row in range(WINDOWS)]
        return spread(whole - np.stack(rows)).astype(np.float32)

    def _probabilities(self, images: np.ndarray, chosen: int) -> np.ndarray:
        """(B,) float64 of one class: near 1 float32 has too few digits to tell windows apart."""
        logits = self.logits(images).astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers[:, chosen] / powers.sum(1)


def hidden_row(image: np.ndarray, row: int) -> np.ndarray:
    """The image (WINDOWS, 3, H, W) with each window of a row of the grid hidden."""
    tops, lefts = edges(image.shape[1]), edges(image.shape[2])
    images = np.repeat(image[None], WINDOWS, 0)
    for column in range(WINDOWS):
        images[column, :, tops[row] : tops[row + 2], lefts[column] : lefts[column + 2]] = 0
    return images


def edges(side: int) -> np.ndarray:
    """Where the cells of a side of so many pixels begin and end, (CELLS + 1,) int."""
    return np.linspace(0, side, CELLS + 1).round().astype(int)


def spread(windows: np.ndarray) -> np.ndarray:
    """Values of windows (WINDOWS, WINDOWS) -> of each cell the mean of those that hide it, (CELLS, CELLS)."""
    sums, counts = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for down in (0, 1):
        for right in (0, 1):
            hidden = slice(down, down + WINDOWS), slice(right, right + WINDOWS)
            sums[hidden] += windows
            counts[hidden] += 1
    return sums / counts
