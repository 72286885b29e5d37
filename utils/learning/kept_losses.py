"""A training step whose losses stay on the device until the host asks for them."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.learning.step_state import counter
from mindzoo.utils.learning.train_step import TrainStep


class KeptLosses(nn.Cell):
    """(images (B, 3, H, W) float32, labels (B,) int32) -> the loss of `step`, a float32 scalar.

    A device that takes its batches from a queue may do many steps at one call, which returns the last one's loss.

    Args:
        count: steps between two questions of the host, at most.
    """

    def __init__(self, step: TrainStep, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.step = step
        # Neither is in `step.get_parameters()`: a checkpoint has nothing of it.
        self.losses = Parameter(Tensor(np.zeros(max(count, 2), np.float32)), name="kept_losses", requires_grad=False)
        self.done = counter("kept_losses_count")
        self.one = Tensor(1, ms.int32)
        self.asked_at = 0

    def construct(self, images: Tensor, labels: Tensor) -> Tensor:
        loss = self.step(images, labels)
        newest = ops.reshape(ops.cast(loss, ms.float32), (1,))
        ops.assign(self.losses, ops.concat((self.losses[1:], newest)))
        ops.assign_add(self.done, self.one)
        return loss

    def ask(self) -> np.ndarray:
        """The losses (N,) float32 of the steps since the last call of this; waits for the device."""
        done = int(self.done.asnumpy())
        fresh, self.asked_at = done - self.asked_at, done
        return self.losses.asnumpy()[len(self.losses) - fresh :].copy()
