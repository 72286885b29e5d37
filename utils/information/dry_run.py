"""Networks that are looked at, not used: made without drawing first weights, and run operator by operator, without a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms
import numpy as np
from mindspore.common import initializer


@contextmanager
def eagerly() -> Iterator[None]:
    """Operators run one by one, as they are called: for a single call, compiling costs more than all else."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=mode)


@contextmanager
def undrawn() -> Iterator[None]:
    """Networks are made with zeros in place of random first weights, which are then replaced or not looked at."""
    draw = initializer.Initializer.__call__

    def zeros(self: initializer.Initializer, array: np.ndarray) -> None:
        if isinstance(self, initializer.Constant):
            draw(self, array)
        else:
            array[...] = 0

    initializer.Initializer.__call__ = zeros
    try:
        yield
    finally:
        initializer.Initializer.__call__ = draw
