"""The explainer of a command: what computes a heat map of an image, by the method that was asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.explaining.grad_cam import GradCam
from mindzoo.utils.explaining.methods import GRAD_CAM
from mindzoo.utils.explaining.occlusion import Occlusion

# An image (3, H, W) float32 and the number of a class -> its heat map (h, w) float32, of another size than the image.
Explainer = Callable[[np.ndarray, int], np.ndarray]


def open_explainer(method: str, engine: Engine, logits: Runner, made_from: Source, which: str) -> Explainer:
    """The explainer by one of `methods.METHODS`.

    Args:
        logits: what computes the outputs of the network that `made_from` and `which` say.

    Raises:
        UserError: see `Engine.open`.
    """
    if method == GRAD_CAM:
        return GradCam(*engine.open_split(made_from, which), made_from.plan.num_classes)
    return Occlusion(logits)
