"""What a checkpoint's reader gives, down to the network with its weights: what the targets of checkpoints share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn

from mindzoo.models import SPECS
from mindzoo.utils import runtime
from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan, raw_file


class Loaded(NamedTuple):
    """All that a file decides."""

    network: str
    plan: str
    meta: str
    shapes: list[tuple[str, str, tuple[int, ...]]]
    numbers: list[bytes]
    verified: bool


def load(path: Path) -> Loaded:
    """Read a file, build its network and give it the weights, as every command does.

    Raises:
        UserError: it is refused.
    """
    spec, found = checkpoint_file.recognise(path, SPECS.values())
    plan = network_plan.plan_network(spec, found)
    loading.load_into(_network(spec.name, plan.num_classes, _frozen(plan.options)), found, without=plan.kept, say=False)
    values = list(found.values())
    shapes = [(name, value.dtype.str, value.shape) for name, value in values]
    return Loaded(
        spec.name,
        repr(plan),
        repr(found.meta),
        shapes,
        [value.tobytes() for _, value in values],
        raw_file.read_raw(path).verified,
    )


def only_numbers_differ(good: object, found: object) -> bool:
    """Whether it is the same network with other numbers, which a file cannot show that has no checksum, or lost it."""
    assert isinstance(good, Loaded)
    assert isinstance(found, Loaded)
    return not found.verified and good._replace(numbers=[], verified=False) == found._replace(numbers=[])


@functools.lru_cache(maxsize=8)
def _network(name: str, num_classes: int, options: tuple[tuple[str, Any], ...]) -> nn.Cell:
    """Most damaged files are of one network, which takes longer to build than they to read."""
    runtime.start("CPU")
    return SPECS[name].make(num_classes, dict(options))


def _frozen(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in options.items())


def tiny_state(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state of a training beside weights, as momentum keeps it."""
    return {**weights, **{f"moments.{name}": value for name, value in weights.items() if name.startswith("head")}}
