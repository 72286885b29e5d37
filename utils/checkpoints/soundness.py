"""Whether the numbers of a checkpoint can be the weights of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger

VARIANCE = "moving_variance"


def first_not_finite(values: Iterable[tuple[str, np.ndarray]]) -> str | None:
    """The name of the first array that holds NaN or infinity; None where all are finite."""
    return next((name for name, value in values if value.dtype.kind == "f" and not np.isfinite(value).all()), None)


def fault(weights: Mapping[str, np.ndarray]) -> str | None:
    """What no weights of a network can be, in words that follow the name of the file; None where all is well."""
    if name := first_not_finite(weights.items()):
        return f"holds values that are not finite, the first in {name}"
    for name, value in weights.items():
        if name.endswith(VARIANCE) and value.dtype.kind == "f" and (value < 0).any():
            return f"holds a negative variance, in {name}"
    return None


def check(path: Path, weights: Mapping[str, np.ndarray], *, hint: str = "", allowed: bool = False) -> None:
    """Refuse weights whose results mean nothing; where they are `allowed`, say so in a line.

    Raises:
        UserError: names the first parameter that is wrong; `hint` is added.
    """
    found = fault(weights)
    if found and not allowed:
        raise UserError(f"{path} {found}; use another checkpoint{hint}")
    if found:
        logger.warning("%s %s: results mean nothing", path, found)
