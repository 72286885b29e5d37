"""Whether the arrays of a file fit the parameters of a network: all of them, or it is said what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mindzoo.utils.errors import UserError, shorten

if TYPE_CHECKING:
    from mindspore import Parameter


@dataclass(frozen=True)
class Slot:
    """What a parameter takes: numbers of a shape; fractions, or only whole numbers."""

    shape: tuple[int, ...]
    of_fractions: bool

    @classmethod
    def of(cls, parameter: Parameter) -> Slot:
        """That of a parameter."""
        from mindspore import dtype

        return cls(tuple(parameter.shape), parameter.dtype in dtype.float_type)

    def takes_kind(self, value: np.ndarray) -> bool:
        """Whether the numbers are of a kind that the parameter's can be made of: fractions only of fractions."""
        return value.dtype.kind == "f" or (value.dtype.kind in "iub" and not self.of_fractions)


def check_fit(slots: Mapping[str, Slot], values: Mapping[str, np.ndarray], path: Path, hint: str = "") -> None:
    """Refuse values of which one does not fit its slot, or that are too many or too few.

    Raises:
        UserError: with the counts and first names of what is missing, unexpected, of another shape or type; `hint` is added.
    """
    missing = [name for name in slots if name not in values]
    unexpected = [name for name in values if name not in slots]
    common = [name for name in slots if name in values]
    other = {name: slots[name].shape for name in common if tuple(values[name].shape) != slots[name].shape}
    kinds = [name for name in common if not slots[name].takes_kind(values[name])]
    problems = [
        f"{len(names)} {word} ({shorten(names, 1)})"
        for word, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", [f"{name} {values[name].shape} instead of {shape}" for name, shape in other.items()]),
            ("of another type", kinds),
        )
        if names
    ]
    if problems:
        fitting = len(slots) - len({*missing, *other, *kinds})
        raise UserError(f"{path} does not fit: {fitting} of {len(slots)} parameters match, {', '.join(problems)}{hint}")
