"""Refuse a training whose batch norms would see one value per channel: their variance has no meaning, and becomes NaN."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World


def refuse_single_values(network: nn.Cell, config: TrainConfig, world: World) -> None:
    """Look at what every batch norm gets from one image, where a batch is one image. Nothing is compiled for it.

    Raises:
        UserError: one of them gets a map of one pixel.
    """
    if config.batch_size > 1 or (config.sync_batch_norm and world.size > 1):
        return
    single: list[str] = []

    def look(name: str, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].size == inputs[0].shape[1]:
            single.append(name)

    hooks = [
        cell.register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs))
        for name, cell in network.cells_and_names()
        if isinstance(cell, nn.BatchNorm2d) and (config.thaws or cell.use_batch_statistics is not False)
    ]
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        network.set_train(False)
        network(Tensor(np.zeros((1, 3, *config.image_size), np.float32)))
    finally:
        ms.set_context(mode=mode)
        for hook in hooks:
            hook.remove()
        network.set_train(True)
    if single:
        raise UserError(
            f"batch_size is 1, and batch norm {single[0]} gets one value per channel from an image of "
            f"{config.image_size[0]}x{config.image_size[1]}, which has no variance; use --batch_size 2 or larger images"
        )
