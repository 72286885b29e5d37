"""What a step is told, and what a step is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.utils.spec import ModelSpec

# What a step found: one line, and the numbers in it by name.
Found = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """What a step is told."""

    device: str  # Ascend or CPU
    small: bool
    folder: Path  # to work in; what is left there stays on this machine
    specs: Sequence[ModelSpec]  # the network that it is about; all that are tried where it is about none


@dataclass(frozen=True)
class Step:
    """One entry of the protocol.

    `take` returns what it found, and raises `LeftOut` where it cannot be taken, `NotRight` where something is wrong.
    """

    name: str
    help: str
    seconds: float  # after which it is ended
    take: Callable[[Job], Found]
    of_each_network: bool = False
    # (device, whether networks are small) -> why it cannot be taken; empty where it can.
    why_not: Callable[[str, bool], str] = lambda device, small: ""
