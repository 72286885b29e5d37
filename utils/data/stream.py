"""All batches that a run still trains on, as one data set: a device's queue is set up for one, and once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mindspore.dataset as ds
import numpy as np

from mindzoo.utils.data import bad_images
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.errors import UserError

INTERRUPTED = "Interrupted system call"
MOST_AHEAD = 64  # batches that MindSpore may have begun to read, with room to spare


class Batches:
    """The batches of `count` steps, through as many epochs as they take: images (B, 3, H, W) float32, labels (B,) int32.

    Each epoch's come from a pipeline of its own, `TrainData.epoch`, so that they are those of a run that asks for one
    epoch after the other. MindSpore asks in a thread of its own, some batches ahead.

    Args:
        epoch, first_step: where they begin.
    """

    def __init__(self, data: TrainData, *, epoch: int, first_step: int, count: int) -> None:
        self.data, self.epoch, self.first_step, self.count = data, epoch, first_step, count
        self.error: Exception | None = None  # what ended them too early
        self.at = epoch, first_step  # epoch and step of the batch that is asked for

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        self.at, left = (self.epoch, self.first_step), self.count
        try:
            while left:
                epoch, first_step = self.at
                steps = min(self.data.steps_per_epoch - first_step, left)
                if steps:
                    pipeline = self.data.epoch(epoch, first_step).create_tuple_iterator(num_epochs=1, output_numpy=True)
                    for step in range(first_step, first_step + steps):
                        self.at = epoch, step
                        yield tuple(next(pipeline))
                self.at, left = (epoch + 1, 0), left - steps
        except Exception as error:
            self.error = error
            raise

    def why(self, error: Exception) -> Exception:
        """What ended the batches too early, where `error` is what MindSpore says of it.

        Of a bad image it tells the thread that asks for batches only that something was interrupted.
        """
        if isinstance(self.error, UserError):
            return self.error
        if INTERRUPTED in str(error):
            folders, (epoch, step) = self.data.folders, self.at
            read = self.data.order(epoch)[step : step + MOST_AHEAD].reshape(-1)
            if found := bad_images.first_fault((folders, int(place)) for place in read):
                return bad_images.refusal(*found, is_looked_at=folders.is_looked_at)
        return error


class OneDataSet(ds.GeneratorDataset):
    """`Batches` as a data set of MindSpore's; it is gone through once.

    Args:
        image_size: height and width of the images.
    """

    def __init__(self, batches: Batches, image_size: tuple[int, ...]) -> None:
        super().__init__(batches, ["image", "label"], shuffle=False, python_multiprocessing=False)
        size = batches.data.batch_size
        self._shapes = [[size, 3, *image_size], [size]]

    # MindSpore would begin a pipeline to find out, and read all that a run which goes on has behind it.
    def output_shapes(self, estimate: bool = False) -> list[Any]:
        return self._shapes

    def output_types(self) -> list[Any]:
        return [np.dtype(np.float32), np.dtype(np.int32)]
