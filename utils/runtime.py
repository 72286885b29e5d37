"""Where a run computes: device, ranks and seed, and how signals ask it to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import mindspore as ms
from mindspore import nn

from mindzoo.utils import compat, environment, log
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import user_cache

# Any of these in the environment means that a launcher started this process as one of several.
LAUNCHER_VARIABLES = ("MS_ROLE", "RANK_TABLE_FILE", "OMPI_COMM_WORLD_SIZE")
# With a table alone nobody has said which of its ranks this process is.
TABLE, RANK = LAUNCHER_VARIABLES[1], "RANK_ID"

ASKED_TO_STOP = "asked to stop: finishing this step, then saving a checkpoint; once more ends at once"


@dataclass(frozen=True)
class World:
    """The ranks of a job: this process is `rank` of `size`; `launched` where a launcher connected them."""

    rank: int = 0
    size: int = 1
    launched: bool = False

    @property
    def connected(self) -> bool:
        """Whether there are other ranks that this one can talk to."""
        return self.launched and self.size > 1


def start(device_target: str, *, seed: int = 1, deterministic: bool = False) -> str:
    """Choose the device, set graph mode and the seed; return the device's name.

    Args:
        deterministic: see `ask_for_same_bits`.

    Raises:
        UserError: `device_target` names a device that this machine does not have.
    """
    device = take_device(device_target)
    ms.set_seed(seed)
    if deterministic:
        ask_for_same_bits(device)
    return device


def take_device(device_target: str) -> str:
    """Choose the device and set graph mode; return the device's name. The seeds of a program stay, NumPy's too.

    Raises:
        UserError: `device_target` names a device that this machine does not have.
    """
    device = resolve_device(device_target)
    if device == "CPU":
        environment.limit_onednn()
    ms.set_context(mode=ms.GRAPH_MODE)
    # Where MindSpore describes a graph that it could not compile, or was interrupted at; by itself it takes the current folder.
    os.environ.setdefault("MS_OM_PATH", str(user_cache("failed_graphs")))
    number = device_number(device)
    ms.set_device(device) if number is None else ms.set_device(device, number)
    end_quietly()
    return device


def ask_for_same_bits(device: str) -> None:
    """Ask for operators of Ascend that give the same bits each time; before the ranks meet, as MindSpore's documents say."""
    if device == "Ascend":
        ms.set_deterministic(True)


@contextmanager
def eagerly() -> Iterator[None]:
    """Operators run one by one, as they are called: for a single call, compiling costs more than all else."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=mode)


def device_number(device: str) -> int | None:
    """The device that DEVICE_ID names, as the original launchers do; None where MindSpore is to choose it.

    Raises:
        UserError: DEVICE_ID is no number.
    """
    named = os.environ.get("DEVICE_ID", "")
    if device == "CPU" or "MS_ROLE" in os.environ or not named:
        return None
    if not named.isdecimal():
        raise UserError(f"the variable DEVICE_ID is {named}; wanted the number of a device, from 0")
    return int(named)


def resolve_device(target: str) -> str:
    """`auto` is Ascend where MindSpore finds one, else CPU.

    Raises:
        UserError: a device was asked for by name and is absent.
    """
    if target == "auto":
        device = "Ascend" if compat.device_available("Ascend") else "CPU"
        log.aside("device_target auto: computing on %s", device)
        return device
    check_device(target)
    return target


def check_device(target: str) -> None:
    """Refuse a device that was asked for by name and is absent.

    Raises:
        UserError: says what to ask for.
    """
    if target != "auto" and not compat.device_available(target):
        raise UserError(f"device_target is {target}, and MindSpore finds none here; use --device_target CPU or auto")


def is_launched() -> bool:
    """Whether a launcher started this process as a rank."""
    return any(name in os.environ for name in LAUNCHER_VARIABLES)


def join(is_distributed: bool, rank: int, group_size: int) -> World:
    """The ranks this process belongs to.

    Under a launcher `is_distributed` asks it for rank and size. Without one it means one process, and that is said;
    without `is_distributed` the values of `rank` and `group_size` stand.

    Raises:
        UserError: the other ranks cannot be joined, or `rank` is not below `group_size`.
    """
    if not is_distributed:
        if not 0 <= rank < group_size:
            raise UserError(f"rank is {rank} and group_size is {group_size}; wanted 0 <= rank < group_size")
        return World(rank, group_size)
    if not is_launched():
        log.logger.info("is_distributed is 1, but no launcher started this process: it runs alone, as rank 0 of 1")
        return World()
    if TABLE in os.environ and not {"MS_ROLE", "OMPI_COMM_WORLD_SIZE", RANK} & os.environ.keys():
        raise UserError(
            f"{TABLE} is {os.environ[TABLE]}, and {RANK} does not say which of its ranks this process is; start all of "
            f"them with mindzoo launch NETWORK train --rank_table FILE, or one alone with --is_distributed 0"
        )
    from mindspore.communication import get_group_size, get_rank, init

    try:
        init()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"cannot join the other ranks: {reason} (to run alone: --is_distributed 0)") from None
    world = World(get_rank(), get_group_size(), launched=True)
    ms.set_auto_parallel_context(
        parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True, device_num=world.size
    )
    return world


def end_quietly() -> None:
    """Silence `Cell.__del__`, which fails once per cell when the interpreter has torn its module down.

    A network that lives until the end of the process is enough for hundreds of such messages.
    """
    if getattr(nn.Cell.__del__, "quiet", False):
        return
    original, finalizing = nn.Cell.__del__, sys.is_finalizing

    def delete(self: nn.Cell) -> None:
        if not finalizing():
            original(self)

    delete.quiet = True  # type: ignore[attr-defined]
    nn.Cell.__del__ = delete


class StopRequest:
    """Whether SIGINT (Ctrl-C) or SIGTERM asked the run to end; a second one ends it at once.

    While a graph runs MindSpore takes SIGINT and sends SIGTERM to the process instead, so Ctrl-C is seen as either.
    """

    def __init__(self, answer: str = ASKED_TO_STOP) -> None:
        self.signal, self.answer, self.twice = 0, answer, False

    def __bool__(self) -> bool:
        return bool(self.signal)

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.signal:
            self.twice = True
            raise KeyboardInterrupt
        self.signal = number
        # In a thread of its own: the signal may have come in the middle of a line, whose stream cannot be entered twice.
        threading.Thread(target=log.logger.info, args=(self.answer,), name=self.answer).start()


@contextmanager
def stop_on_signals(answer: str = ASKED_TO_STOP) -> Iterator[StopRequest]:
    """SIGINT and SIGTERM set the request instead of ending the process, until the block is left; `answer` is said then."""
    request = StopRequest(answer)
    before = {number: signal.signal(number, request.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    except Exception:
        if request.twice:  # MindSpore's compiler makes an error of its own of what is raised in the middle of it
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
