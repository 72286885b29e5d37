"""Arrays from the bytes of a file, of which nothing is believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

BFLOAT16 = "V2"  # two bytes: NumPy has no such type
# The largest network here has 1,631 parameters, and with everything that a training keeps of them five times as many.
MOST_ENTRIES = 15_000
LONGEST_NAME = 256  # characters
MOST_DIMENSIONS = 16


def array_of(content: bytes | memoryview, dtype: str, shape: Sequence[int]) -> np.ndarray:
    """An array of its own, of the numbers in `content`.

    Args:
        dtype: NumPy's name of the type, or BFLOAT16, which becomes float32.

    Raises:
        ValueError: the shape is impossible, or of another number of bytes than there are.
    """
    if len(shape) > MOST_DIMENSIONS or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"the shape {str(tuple(shape))[:60]} is impossible")
    if 0 in shape and len(shape) > 1:
        raise ValueError(f"the shape {str(tuple(shape))[:60]} is of no numbers")
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if wanted != len(content):
        raise ValueError(f"{len(content)} bytes are there, and the shape {str(tuple(shape))[:60]} needs {wanted}")
    values = np.frombuffer(content, dtype).reshape(tuple(shape))
    return widened(values) if dtype == BFLOAT16 else values.copy()


def widened(values: np.ndarray) -> np.ndarray:
    """Float32 from BFLOAT16, of which they are the first half."""
    return np.asarray(values.view("<u2").astype("<u4") << np.uint32(16)).view("<f4")
