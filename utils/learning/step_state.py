"""Numbers that a training step keeps from one step to the next, and a checkpoint with it."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor


def counter(name: str, start: int = 0) -> Parameter:
    """An int32 scalar of this name, which is not trained."""
    return Parameter(Tensor(start, ms.int32), name=name, requires_grad=False)


def number(name: str, start: float) -> Parameter:
    """A float32 scalar of this name, which is not trained."""
    return Parameter(Tensor(start, ms.float32), name=name, requires_grad=False)
