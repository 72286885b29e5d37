"""Batches of images in a known order: for training a new one each epoch, for evaluation every image once.

The order is a list of our own that MindSpore's sampler follows, so that it depends on the seed and the epoch only,
and a run can go on in the middle of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np

from mindzoo.utils.data import bad_images
from mindzoo.utils.data.freed_memory import keep_freed_memory
from mindzoo.utils.data.held_out import HeldOut
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.look import Marks
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.runtime import World


class TrainData:
    """Augmented batches for training.

    A step takes the next `batch_size * world.size` images of the epoch's order and this rank its share of them, so
    two ranks with batch b see what one rank with batch 2b sees. What does not fill a global batch waits for another
    epoch's order. With another `sampling` than "uniform" images are drawn with replacement,
    as many as an epoch has; see `draw_probabilities`.

    With `repeats` k, of which `batch_size` must be a multiple, each image of a batch is in it k times in a row, and an
    epoch of as many steps takes a k-th of the images (repeated augmentation, Hoffer et al. 2019,
    https://arxiv.org/abs/1901.09335). Which ones, changes with the epoch.
    """

    def __init__(
        self,
        folders: ImageSet,
        operations: list[Any],
        *,
        batch_size: int,
        world: World,
        seed: int,
        workers: int = 0,
        sampling: str = "uniform",
        repeats: int = 1,
    ) -> None:
        self.folders, self.operations, self.world, self.sampling = folders, operations, world, sampling
        self.batch_size, self.seed, self.workers, self.repeats = batch_size, seed, workers, repeats
        self.steps_per_epoch = len(folders) // (batch_size * world.size)
        if self.steps_per_epoch == 0:
            raise UserError(
                f"batch_size {batch_size} on {counted(world.size, 'rank')} is more than the {counted(len(folders), 'image')} of "
                f"{folders.root}; use a smaller --batch_size"
            )

    def order(self, epoch: int) -> np.ndarray:
        """Indices into the files that this rank reads in `epoch` (from 0): (steps_per_epoch, batch_size)."""
        rng = np.random.default_rng((self.seed, epoch))
        distinct = self.batch_size // self.repeats
        count = self.steps_per_epoch * self.world.size * distinct
        if self.sampling == "uniform":
            used = rng.permutation(len(self.folders))[:count]
        else:
            used = rng.choice(len(self.folders), count, p=draw_probabilities(self.folders.labels, self.sampling))
        own = used.reshape(self.steps_per_epoch, self.world.size, distinct)[:, self.world.rank]
        return own.repeat(self.repeats, axis=1)

    def epoch(self, epoch: int, first_step: int = 0) -> ds.Dataset:
        """The data set of one epoch, from its step `first_step` on: images (B, 3, H, W) float32, labels (B,) int32.

        The steps before it are read and augmented too, so that what is random goes on where it was: with the same
        number of workers every image is what it is in a whole epoch.
        """
        # MindSpore draws augmentations from this seed. Ranks must differ, and so must epochs.
        seed = int(np.random.SeedSequence((self.seed, epoch, self.world.rank)).generate_state(1)[0]) % 2**31
        ds.config.set_seed(seed)
        order = self.order(epoch).reshape(-1)
        batches = _pipeline(self.folders, order, self.operations, self.batch_size, self.workers, seed)
        return batches.skip(first_step) if first_step else batches


def draw_probabilities(labels: np.ndarray, sampling: str) -> np.ndarray:
    """How likely each image is drawn, so that class c of n_c images is drawn as often as n_c^q says.

    q is 0 for "balanced" and 1/2 for "square_root"; Kang et al. 2020, https://arxiv.org/abs/1910.09217, equation 1.

    Args:
        labels: (N,) int32.

    Returns:
        (N,) float64, of sum 1.
    """
    exponent = {"balanced": 0.0, "square_root": 0.5}[sampling]
    counts = np.bincount(labels)[labels].astype(np.float64)
    likely = counts ** (exponent - 1)
    return np.asarray(likely / likely.sum())


class EvalData:
    """Every image of the folders exactly once, over all ranks, in batches of one shape.

    Rank r reads images r, r + size, …; the last batch is filled up with image 0 and masked, and every rank has the
    same number of batches.
    """

    def __init__(
        self, folders: ImageSet, operations: list[Any], *, batch_size: int, world: World, workers: int = 0
    ) -> None:
        self.folders, self.operations, self.batch_size, self.workers = folders, operations, batch_size, workers
        own = np.arange(world.rank, len(folders), world.size)
        longest = -(-len(folders) // world.size)
        self.batches = -(-longest // batch_size)
        self.valid = len(own)
        self.filled = self.batches * batch_size - len(own)  # how many times image 0 is read for this
        self.indices = np.concatenate([own, np.zeros(self.filled, own.dtype)])

    def __iter__(self) -> Iterator[tuple[ms.Tensor, ms.Tensor, np.ndarray]]:
        """Images (B, 3, H, W) float32, labels (B,) int32, mask (B,) float32: 1 where the image counts."""
        pipeline = _pipeline(self.folders, self.indices, self.operations, self.batch_size, self.workers)
        with bad_images.named(self.folders):
            for number, (images, labels) in enumerate(pipeline.create_tuple_iterator(num_epochs=1)):
                positions = number * self.batch_size + np.arange(self.batch_size)
                yield images, labels, (positions < self.valid).astype(np.float32)


@dataclass(frozen=True)
class Data:
    """What a training reads."""

    train: TrainData
    evaluation: EvalData | None
    classes: tuple[str, ...]
    marks: Marks = field(default_factory=Marks)  # of the training images
    held_out: HeldOut | None = None  # what evaluation has of the training folder

    @property
    def folders(self) -> list[ImageSet]:
        """All that are read."""
        return [data.folders for data in (self.train, self.evaluation) if data]


def _pipeline(
    folders: ImageSet, indices: np.ndarray, operations: list[Any], batch_size: int, workers: int, seed: int = 0
) -> ds.Dataset:
    keep_freed_memory()
    return folders.pipeline(indices, operations, worker_count(workers), seed).batch(batch_size, drop_remainder=True)
