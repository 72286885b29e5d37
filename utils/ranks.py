"""What the ranks of a job tell each other outside of the training step. Alone, every function is its trivial case."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils import log, runtime
from mindzoo.utils.config.machine_keys import RanksKeys
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import StopRequest, World

T = TypeVar("T")
# Values per message, of text and of parameters: each size is compiled once.
TEXT, WEIGHTS = 1 << 12, 1 << 20
# Between two votes on whether to stop.
VOTE_SECONDS, MOST_STEPS = 1.0, 50
# Counts travel as digits to this base: sums of digits over up to 4,096 ranks are exact in float32.
DIGIT, DIGITS = 1 << 12, 4


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


def meet(config: RanksKeys, device: str) -> World:
    """The ranks this process belongs to, see `runtime.join`; on Ascend their servers must have names of their own.

    Raises:
        UserError: see `runtime.join` and `check_hosts`.
    """
    world = runtime.join(config.is_distributed, config.rank, config.group_size)
    log.leave_progress_to_the_first(world.rank)
    if device == "Ascend":
        named = os.environ.get("SERVER_ID", "")
        check_hosts(world, socket.gethostname(), int(named) if named.isdecimal() else 0)
    return world


def whole_set(world: World, what: str) -> World:
    """The ranks that share the images of `what`: those that no launcher connects cannot put together what each has, so
    each takes all of them.
    """
    if world.size > 1 and not world.launched:
        logger.info("rank and group_size have no effect on %s without a launcher: it covers every image", what)
        return World()
    return world


def check_hosts(world: World, name: str, server: int) -> None:
    """Refuse servers of one name: MindSpore would number their ranks, and so their devices, as those of one server.

    Args:
        name: of this server.
        server: its number in the job, from 0.

    Raises:
        UserError: another server has the name, on all ranks.
    """
    if not world.connected:
        return
    # Names are compared by 48 bits, in parts that float32 holds.
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    own = [int.from_bytes(digest[:3], "big"), int.from_bytes(digest[3:6], "big"), server]
    rows = np.zeros((world.size, 3), np.float32)
    rows[world.rank] = own
    seen: dict[tuple[int, ...], int] = {}
    for *hashed, other in _summed(rows.reshape(-1), rows.size, rows.size).reshape(-1, 3).astype(np.int64).tolist():
        if seen.setdefault(tuple(hashed), other) != other:
            raise UserError(
                f"servers {seen[tuple(hashed)]} and {other} have one host name (this one is {name}), by which ranks are told "
                "apart; wanted a name of its own for each: hostnamectl set-hostname, or another --hostname of the container"
            )


def first(world: World, make: Callable[[], T]) -> T:
    """What `make` returns on rank 0, on all ranks; it is called there only. It must survive JSON."""
    if not world.connected:
        return make()
    return cast("T", _told(world, 0, make() if world.rank == 0 else None))


def gathered(world: World, value: T) -> list[T]:
    """What every rank has, in the order of the ranks, on all of them. It must survive JSON."""
    if not world.connected:
        return [value]
    return [_told(world, teller, value) for teller in range(world.size)]


def _told(world: World, teller: int, value: T) -> T:
    """What rank `teller` says."""
    text = np.frombuffer(json.dumps(value).encode() if world.rank == teller else b"", np.uint8)
    count = int(total_counts(world, np.array([len(text)], np.int64))[0])
    return cast("T", json.loads(_summed(text, count, TEXT if count < WEIGHTS else WEIGHTS).astype(np.uint8).tobytes()))


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


def total_counts(world: World, counts: np.ndarray) -> np.ndarray:
    """The exact sums (N,) int64 over the ranks of counts (N,) int64, each from 0 to below 2^48, by one all-reduce."""
    if not world.connected:
        return counts
    digits = np.stack([counts // DIGIT**place % DIGIT for place in range(DIGITS)]).astype(np.float32)
    sums = _summed(digits.reshape(-1), digits.size, digits.size).reshape(DIGITS, -1)
    return np.asarray(sum(sums[place].astype(np.int64) * DIGIT**place for place in range(DIGITS)))


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

    The ranks vote, about once a second, and at least every MOST_STEPS steps: a vote costs a graph and an all-reduce. Rank 0
    proposes with its vote when the next one is, by the time that its steps take. An answer is read one step after its vote
    was sent, so that the device always has one step to work on. So they stop one step after the first vote that follows a
    signal: at most MOST_STEPS + 1 steps, or about a second and a step, after it.
    """

    def __init__(self, world: World, request: StopRequest) -> None:
        self.request, self.world = request, world
        self.sum = _sum() if world.connected else None
        self.agreed = False
        self.interval = 1  # steps from one vote to the next
        self._since = 0  # steps since the last vote
        self._voted = time.perf_counter()
        self._sent: Tensor | None = None

    def __bool__(self) -> bool:
        return self.agreed if self.sum else bool(self.request)

    @property
    def signal(self) -> int:
        """The signal that reached this rank; SIGTERM where another one was asked to stop."""
        return self.request.signal or signal.SIGTERM

    def after_step(self, *, at_once: bool = False) -> bool:
        """Whether to stop now; every rank must call it after the same steps.

        Args:
            at_once: vote now and wait for the answer; for calls that are far apart.
        """
        if self.sum:
            self._since += 1
            if self._sent is not None:
                self._read(self._sent)
            if not self.agreed and (at_once or self._since >= self.interval):
                self._sent = self.sum(Tensor([float(bool(self.request)), self._proposal()], ms.float32))
                self._since = 0
            if at_once and self._sent is not None:
                self._read(self._sent)
        return bool(self)

    def _proposal(self) -> float:
        """Of rank 0: steps until the next vote; the others add nothing to it."""
        now = time.perf_counter()
        seconds, self._voted = (now - self._voted) / max(self._since, 1), now
        if self.world.rank:
            return 0.0
        return float(min(max(int(VOTE_SECONDS / max(seconds, 1e-6)), 1), MOST_STEPS))

    def _read(self, answer: Tensor) -> None:
        asked, interval = answer.asnumpy()
        self.agreed, self.interval, self._sent = bool(asked), int(interval), None
