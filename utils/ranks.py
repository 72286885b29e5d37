"""What the ranks of a job tell each other outside of the training step. Alone, every function is its trivial case."""

from __future__ import annotations

import functools
import json
import signal
from collections.abc import Callable, Iterable
from typing import TypeVar

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.runtime import StopRequest, World

T = TypeVar("T")
# Values per message, of text and of parameters: each size is compiled once.
TEXT, WEIGHTS = 1 << 12, 1 << 20


class Sum(nn.Cell):
    """The sum of a float32 tensor over the ranks; CPU collectives carry no integers."""

    def __init__(self) -> None:
        super().__init__()
        self.all_reduce = ops.AllReduce(ops.ReduceOp.SUM)

    def construct(self, values: Tensor) -> Tensor:
        return self.all_reduce(values)


@functools.cache
def _sum() -> Sum:
    return Sum()


def first(world: World, make: Callable[[], T]) -> T:
    """What `make` returns on rank 0, on all ranks; it is called there only. It must survive JSON."""
    if not world.connected:
        return make()
    text = np.frombuffer(json.dumps(make()).encode() if world.rank == 0 else b"", np.uint8)
    count = int(_from_first(world, np.array([len(text)], np.float32), 1, 1)[0])
    return json.loads(_from_first(world, text, count, TEXT).astype(np.uint8).tobytes())


def copy_from_first(world: World, parameters: Iterable[Parameter]) -> None:
    """Give every parameter the value that it has on rank 0.

    All travel as float32, which is exact for float16 and float32, and for a training's counters up to 2^24.
    """
    if not world.connected:
        return
    listed = list(parameters)
    values = [parameter.asnumpy() for parameter in listed]
    packed = np.concatenate([value.astype(np.float32).reshape(-1) for value in values])
    sent = _from_first(world, packed, len(packed), WEIGHTS)
    if world.rank == 0:
        return
    pieces = np.split(sent, np.cumsum([value.size for value in values])[:-1])
    for parameter, value, piece in zip(listed, values, pieces, strict=True):
        parameter.set_data(Tensor(piece.reshape(value.shape).astype(value.dtype), parameter.dtype))


def wait_for_all(world: World) -> None:
    """Return once every rank has come here."""
    if world.connected:
        _sum()(Tensor(np.zeros(1, np.float32))).asnumpy()


def total(world: World, values: np.ndarray) -> np.ndarray:
    """The sums (N,) over the ranks of float32 values (N,), of which every rank has as many."""
    return _summed(values, len(values), WEIGHTS) if world.connected else values


def _from_first(world: World, values: np.ndarray, count: int, chunk: int) -> np.ndarray:
    """The `count` values of rank 0, float32 (count,): all others add zeros to them."""
    return _summed(values if world.rank == 0 else np.zeros(0, np.float32), count, chunk)


def _summed(values: np.ndarray, count: int, chunk: int) -> np.ndarray:
    """The `count` sums over the ranks, in messages of one size."""
    padded = np.zeros(-(-count // chunk) * chunk, np.float32)
    padded[: len(values)] = values
    sums = [_sum()(Tensor(part)).asnumpy() for part in padded.reshape(-1, chunk)]
    return np.concatenate([*sums, np.zeros(0, np.float32)])[:count]


class Stop:
    """Whether the ranks stop: all at the same step, once a signal has reached one of them.

    Each rank's answer is read one step after it was sent, so that the device always has one step to work on.
    """

    def __init__(self, world: World, request: StopRequest) -> None:
        self.request = request
        self.sum = _sum() if world.connected else None
        self.agreed = False
        self._sent: Tensor | None = None

    def __bool__(self) -> bool:
        return self.agreed if self.sum else bool(self.request)

    @property
    def signal(self) -> int:
        """The signal that reached this rank; SIGTERM where another one was asked to stop."""
        return self.request.signal or signal.SIGTERM

    def after_step(self, *, at_once: bool = False) -> bool:
        """Whether to stop now; every rank must call it after the same steps. `at_once` waits for this step's answer."""
        if self.sum:
            before, self._sent = self._sent, self.sum(Tensor([float(bool(self.request))], ms.float32))
            asked = self._sent if at_once else before
            self.agreed = self.agreed or (asked is not None and bool(asked.asnumpy()[0]))
        return bool(self)
