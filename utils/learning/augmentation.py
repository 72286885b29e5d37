"""What a training step does with a whole batch before the network sees it."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils.config.augmentation_keys import AugmentationKeys
from mindzoo.utils.learning import mixing
from mindzoo.utils.learning.erasing import RandomErasing
from mindzoo.utils.learning.step_state import counter

COUNTER = "augmented_batches"
OF_ERASING, OF_MIXING = 1, 2  # what a seed is used for


class BatchAugmentation(nn.Cell):
    """Images (B, 3, H, W) float32 and labels (B,) int32 -> what the network gets, and what the loss gets.

    Args:
        erasing: (images, step) -> images.
        mixing: (images, labels, step) -> images and targets, see `mixing.Mixing`; without it the targets are the labels.

    The parameter `augmented_batches`, int32, counts the steps of the training. All that is random is a function of it.
    """

    def __init__(self, erasing: nn.Cell | None, mixing: nn.Cell | None) -> None:
        super().__init__(auto_prefix=False)
        self.batches = counter(COUNTER)
        self.one = Tensor(1, ms.int32)
        self.erases, self.mixes = erasing is not None, mixing is not None
        if erasing is not None:
            self.erasing = erasing
        if mixing is not None:
            self.mixing = mixing

    def construct(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        step = ops.assign_add(self.batches, self.one) - self.one
        if self.erases:
            images = self.erasing(images, step)
        if self.mixes:
            return self.mixing(images, labels, step)
        return images, labels

    def start_at(self, step: int) -> None:
        """Let the next batch be that of step `step` (from 0)."""
        self.batches.set_data(Tensor(step, ms.int32))


def of_batches(
    keys: AugmentationKeys, image_size: Sequence[int], *, steps: int, epochs: int, seed: int, rank: int
) -> BatchAugmentation | None:
    """What the keys ask for; None where they ask for nothing.

    Args:
        image_size: height and width.
        steps, epochs: of the whole training.
        rank: ranks draw other numbers, for other images.
    """
    erases = None
    if keys.random_erasing:
        (hashed,) = np.random.SeedSequence((seed, rank, OF_ERASING)).generate_state(1)
        erases = RandomErasing(keys.random_erasing, int(hashed))
    mixes = None
    if keys.mixes:
        drawn = mixing.draw(
            min(steps, mixing.MOST_DRAWS), image_size, mixup=keys.mixup, cutmix=keys.cutmix,
            probability=keys.mixup_prob, seed=(seed, rank, OF_MIXING),
        )  # fmt: skip
        until = steps * min(keys.mixup_off_epoch or epochs, epochs) // epochs
        mixes = mixing.Mixing(drawn, image_size, until)
    return BatchAugmentation(erases, mixes) if erases is not None or mixes is not None else None
