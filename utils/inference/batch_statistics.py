"""Batch norm's moving statistics computed anew for weights that no training had, such as a mean of several.

Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, section 3.2: one pass over the training images, and the mean of what
the batches give, all with the same weight.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import progress
from mindzoo.utils.compiling import graphs
from mindzoo.utils.data import bad_images, data_set, transforms
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.inference.keys import AverageConfig
from mindzoo.utils.runtime import World


class Pass(nn.Cell):
    """Images (B, 3, H, W) float32 -> a number, for what the batch norms take in on the way."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return self.network(images).sum()


def recalibrate(network: nn.Cell, how: transforms.Preprocessing, config: AverageConfig) -> int:
    """Give all batch norms of `network` the statistics of training images, which are preprocessed as for an evaluation.

    Returns:
        The number of images; what fills no batch is left out.

    Raises:
        UserError: see `bad_images.usable`; fewer images than a batch.
    """
    root = data_set.find_split(config.data_dir, "train", "data_dir")
    images = bad_images.usable(root, config, World(), None, how.check_size)
    data = TrainData(
        images,
        transforms.evaluation_operations(how),
        batch_size=config.batch_size,
        world=World(),
        seed=1,
        workers=config.workers,
    )
    norms = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    sums = [[np.zeros(part.shape) for part in (norm.moving_mean, norm.moving_variance)] for norm in norms]
    step = Pass(network)
    step.set_train(True)
    shape = (data.batch_size, 3, *how.image_size)
    graphs.compile_cell(step, "the graph of a pass over the images", (Tensor(np.zeros(shape, np.float32)),))
    with bad_images.named(images), progress.of("statistics", data.steps_per_epoch, "batches") as work:
        for batch, _ in data.epoch(0).create_tuple_iterator(num_epochs=1):
            for norm in norms:
                forget(norm)
            step(batch).asnumpy()
            for norm, (mean, variance) in zip(norms, sums, strict=True):
                mean += norm.moving_mean.asnumpy()
                variance += norm.moving_variance.asnumpy()
            work.advance()
    for norm, (mean, variance) in zip(norms, sums, strict=True):
        # A batch norm takes in the share `momentum` of what a batch gives.
        scale = norm.momentum * data.steps_per_epoch
        norm.moving_mean.set_data(Tensor((mean / scale).astype(np.float32)))
        norm.moving_variance.set_data(Tensor((variance / scale).astype(np.float32)))
    network.set_train(False)
    return data.steps_per_epoch * data.batch_size


def forget(norm: nn.BatchNorm2d) -> None:
    """Let the moving statistics be 0, so that the next batch alone is in them."""
    for part in (norm.moving_mean, norm.moving_variance):
        part.set_data(ms.ops.zeros_like(part))
