"""MindSpore's data sink on a CPU: all of it but the device's end of the queue, which a recording stand-in is.

MindSpore's own `DatasetHelper`, `connect_network_with_dataset` and `TransferDataset` run. Replaced are what they are told
of the device, the kernel that sets up a queue on it, the thread that fills the queue, and the operator GetNext, which takes
a batch from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import mindspore as ms
import mindspore.dataset.engine.datasets as engine
import numpy as np
import pytest
from mindspore import nn
from mindspore.train import _utils as train_utils
from mindspore.train import dataset_helper


@dataclass
class Recorded:
    """What MindSpore was seen to do."""

    compiled: list[str] = field(default_factory=list)  # classes of the cells, one for each graph
    set_up: list[int] = field(default_factory=list)  # queues: how many steps a call was said to take from each
    opened: list[Queue] = field(default_factory=list)  # what fills them


class Queue:
    """In place of the thread that fills a device's queue."""

    def __init__(self, transfer: Any, epochs: int) -> None:
        (data,) = transfer.children
        self.name, self.batches = transfer.queue_name, data.create_tuple_iterator(num_epochs=epochs)
        self.released = False

    def send(self) -> None:
        """It begins when it is asked."""

    def stop_send(self) -> None:
        """It has stopped by itself."""

    def release(self) -> None:
        self.batches.stop()
        self.released = True

    def get_offload_model(self, _: Any) -> SimpleNamespace:
        return SimpleNamespace(transform_list=[])  # nothing of the pipeline is the device's


def record_compilations(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    """Note the class of each cell that MindSpore makes a graph of."""
    executor = type(train_utils._cell_graph_executor)  # its module has another name in MindSpore 2.8
    compile_cell = executor.compile

    def compiled(self: Any, cell: nn.Cell, *args: Any, **more: Any) -> Any:
        phase, new = compile_cell(self, cell, *args, **more)
        if new:
            found.append(type(cell).__name__)
        return phase, new

    monkeypatch.setattr(executor, "compile", compiled)


def sink_on_cpu(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Let MindSpore sink, and see what it does."""
    seen, real = Recorded(), dataset_helper.context
    record_compilations(monkeypatch, seen.compiled)

    def get_context(name: str) -> Any:
        return "Ascend" if name == "device_target" else real.get_context(name)

    def init_dataset(_: str, steps: int, *__: Any, **___: Any) -> None:
        seen.set_up.append(steps)

    def fill(transfer: Any, epochs: int) -> Queue:
        seen.opened.append(Queue(transfer, epochs))
        return seen.opened[-1]

    class Connected(nn.Cell):
        """In place of `_DataWrapper`, whose graph begins with GetNext."""

        def __init__(self, network: nn.Cell, types: Any, shapes: Any, name: str) -> None:
            super().__init__(auto_prefix=False)
            self.network, self.info = network, (types, shapes)
            (self.queue,) = [queue for queue in seen.opened if queue.name == name]

        def compile(self, *_: Any, **__: Any) -> None:
            assert self.phase == "train"
            types, shapes = self.info
            self.network.compile(*(ms.Tensor(np.zeros(shape), kind) for shape, kind in zip(shapes, types, strict=True)))

        def __call__(self, *_: Any, **__: Any) -> Any:
            return [self.network(*next(self.queue.batches)) for _ in range(seen.set_up[-1])][-1]

    asked = {name: getattr(real, name) for name in ("GRAPH_MODE", "PYNATIVE_MODE", "get_auto_parallel_context")}
    monkeypatch.setattr(dataset_helper, "context", SimpleNamespace(**asked, get_context=get_context))
    names = SimpleNamespace(get_queue_name=lambda _: None, init_dataset=init_dataset)
    monkeypatch.setattr(train_utils, "_cell_graph_executor", names)
    monkeypatch.setattr(engine, "_ToDevice", fill)
    monkeypatch.setattr(dataset_helper, "_DataWrapper", Connected)
    return seen
