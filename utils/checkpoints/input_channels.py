"""Weights that were trained on images of three channels, for a network that takes another number of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.spec import IMAGE_CHANNELS, ModelSpec


def adapted(checkpoint: Checkpoint, spec: ModelSpec, channels: int) -> Checkpoint:
    """The content of a file with the weights of its first convolution made for images of so many channels.

    Raises:
        UserError: the file is for another number, which is not three.
    """
    found = spec.input_channels(checkpoint.weights)
    if found == channels:
        return checkpoint
    if found != IMAGE_CHANNELS:
        raise UserError(
            f"{checkpoint.path} is of a network for images of {counted(found, 'channel')}; wanted {channels}: weights for "
            f"{IMAGE_CHANNELS} channels can be changed, others cannot"
        )
    return dataclasses.replace(
        checkpoint,
        weights=_changed(checkpoint.weights, spec, channels),
        averaged=_changed(checkpoint.averaged, spec, channels),
    )


def _changed(weights: Mapping[str, np.ndarray], spec: ModelSpec, channels: int) -> dict[str, np.ndarray]:
    name = spec.first_convolution_in(weights)
    return {**weights, name: of_channels(weights[name], channels)} if name else dict(weights)


def of_channels(weight: np.ndarray, channels: int) -> np.ndarray:
    """(O, 3, H, W) -> (O, channels, H, W), by the rule of timm's `adapt_input_conv`.

    One channel stands for all three, so its filter is their sum: a grey image gives what its three equal channels gave.
    For more, the three are repeated and multiplied by 3 / channels, so that the sum over equal channels stays.
    """
    if channels == IMAGE_CHANNELS:
        return weight
    if channels == 1:
        return weight.sum(1, keepdims=True, dtype=np.float32).astype(weight.dtype)
    repeated = np.tile(weight, (1, -(-channels // IMAGE_CHANNELS), 1, 1))[:, :channels].astype(np.float32)
    return (repeated * (IMAGE_CHANNELS / channels)).astype(weight.dtype)
