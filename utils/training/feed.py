"""What gives a training step its batches, block by block: a device's queue (MindSpore's data sink), or the host.

Both take them from the run's one data set, so that a run has one queue and compiles its step once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore.train import DatasetHelper, connect_network_with_dataset

from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.data.stream import Batches, OneDataSet
from mindzoo.utils.learning.kept_losses import KeptLosses
from mindzoo.utils.training import blocks
from mindzoo.utils.training.blocks import Blocks
from mindzoo.utils.training.state import RunState


class Feed(ABC):
    """Runs the steps of a block, each on the next batch; the losses stay where they are until they are asked for."""

    def __init__(self, run: RunState, data: TrainData, planned: Blocks) -> None:
        self.blocks, self.cell = planned, KeptLosses(run.train_step, planned.size)
        self.batches = Batches(data, epoch=run.epoch, first_step=run.epoch_step, count=planned.last_step - run.step)
        self.data_set = OneDataSet(self.batches, run.config.image_size)

    @abstractmethod
    def compile(self) -> None:
        """Compile the graph that `run` runs. Nothing else may be compiled between the feed's making and its first step."""

    @abstractmethod
    def call(self) -> None:
        """Let the device do `blocks.per_call` steps."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the batches that wait."""

    def run(self, steps: int) -> None:
        """Do `steps` steps, a multiple of `blocks.per_call`.

        Raises:
            UserError, RuntimeError: there is no next batch.
        """
        for _ in range(steps // self.blocks.per_call):
            try:
                self.call()
            except RuntimeError as error:
                if self.batches.error:
                    raise self.batches.why(error) from None
                raise

    def losses(self) -> np.ndarray:
        """Those of the steps since the last call of this: (N,) float32. Waits for the device."""
        return self.cell.ask()


class HostFeed(Feed):
    """Hands over batch by batch: for a device that has no queue."""

    def __init__(self, run: RunState, data: TrainData, planned: Blocks) -> None:
        super().__init__(run, data, planned)
        self.iterator = self.data_set.create_tuple_iterator(num_epochs=1)

    def compile(self) -> None:
        shapes, types = self.data_set.output_shapes(), self.data_set.output_types()
        self.cell.compile(*(ms.Tensor(np.zeros(shape, kind)) for shape, kind in zip(shapes, types, strict=True)))

    def call(self) -> None:
        for _ in range(self.blocks.per_call):
            self.cell(*next(self.iterator))

    def close(self) -> None:
        self.iterator.stop()


class QueueFeed(Feed):
    """The device takes its batches from a queue, which MindSpore fills."""

    def __init__(self, run: RunState, data: TrainData, planned: Blocks) -> None:
        super().__init__(run, data, planned)
        # Steps at one call. MindSpore's name for it; with `sink_size` 1 it would make a second queue, of shapes, which
        # has to be emptied at every call.
        self.data_set.__loop_size__ = planned.per_call
        self.helper = DatasetHelper(self.data_set, dataset_sink_mode=True, sink_size=-1, epoch_num=1)
        self.connected = connect_network_with_dataset(self.cell, self.helper)
        self.connected.set_train()

    def compile(self) -> None:
        self.connected.compile()

    def call(self) -> None:
        if self.batches.error:  # what is still in the queue is given up: to wait for more would take minutes
            raise self.batches.error
        self.connected()

    def close(self) -> None:
        self.helper.stop_send()
        self.helper.release()


@dataclass(frozen=True)
class Sink:
    """How the blocks of a run are fed."""

    feed: type[Feed]
    loops: bool = False  # whether the device may do several steps at a call, see `blocks.plan`

    def open(self, run: RunState, data: TrainData, last_step: int) -> Feed:
        """The feed of the steps that `run` has left until `last_step`, of which there must be some."""
        planned = blocks.plan(
            run.config.sink_size, run.steps_per_epoch, step=run.step, last_step=last_step, loops=self.loops
        )
        return self.feed(run, data, planned)
