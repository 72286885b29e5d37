"""Grad-CAM: which places of the last maps speak for a class.

Paper: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
https://arxiv.org/abs/1610.02391, equations 1 and 2. The maps are the last ones before the pooling, so a gradient goes through
the small head behind them and no farther.
"""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils.compiling import graphs
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.log import logger


class GradCam:
    """An image (3, H, W) float32 and a class -> what speaks for the class, (h, w) float32 of the maps' size, at least 0.

    Args:
        maps: images (B, 3, H, W) -> the last maps (B, C, h, w).
        network: its `classify` goes on from these maps to logits (B, K).
        classes: K.
    """

    def __init__(self, maps: Runner, network: nn.Cell, classes: int) -> None:
        self.maps, self.classes = maps, classes
        self.gradient = HeadGradient(network).set_train(False)
        self.prepared = False

    def __call__(self, image: np.ndarray, chosen: int) -> np.ndarray:
        if not self.prepared:
            self.maps.prepare((1, *image.shape))
        maps = np.ascontiguousarray(self.maps(image[None]))
        given = Tensor(maps), Tensor(np.eye(1, self.classes, chosen, dtype=np.float32))
        if not self.prepared:
            self._prepare(given)
        return weighted(maps, self.gradient(*given).asnumpy())[0]

    def _prepare(self, given: tuple[Tensor, Tensor]) -> None:
        self.prepared = True
        graphs.compile_cell(self.gradient, "the gradient of the classifier", given)
        if max(given[0].shape[2:]) == 1:
            logger.info(
                "note: the last map has a single place for images of this size, so Grad-CAM cannot tell places apart; "
                "--explain occlusion can"
            )


def weighted(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """The sum over the channels of the maps, each times the mean of its gradient; what speaks against the class becomes 0.

    Args:
        maps, gradients: (B, C, h, w) float32.

    Returns:
        (B, h, w) float32.
    """
    weights = gradients.mean((2, 3), keepdims=True)
    return np.maximum((weights * maps).sum(1), 0)


class HeadGradient(nn.Cell):
    """Maps (B, C, h, w), and a 1 at a class of each image (B, K) -> the gradient of these logits by the maps."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.logit, self.gradient = _ChosenLogits(network), ops.GradOperation()

    def construct(self, maps: Tensor, chosen: Tensor) -> Tensor:
        return self.gradient(self.logit)(maps, chosen)


class _ChosenLogits(nn.Cell):
    """Their sum, so that each image has the gradient of its own."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, maps: Tensor, chosen: Tensor) -> Tensor:
        return (self.network.classify(maps) * chosen).sum()
