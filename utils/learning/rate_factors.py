"""What multiplies the learning rate and the weight decay of single parameters."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence

from mindzoo.utils.errors import UserError, shorten

Stages = Sequence[Sequence[str]]  # beginnings of the names of their parameters, from the input on; the head is the rest


def parsed(key: str, words: Sequence[str]) -> dict[str, float]:
    """Factors by pattern, of words such as `conv1*=0.1`, in their order.

    Raises:
        UserError: a word of another form, or a factor that is negative or no number.
    """
    found: dict[str, float] = {}
    for word in words:
        pattern, _, text = word.rpartition("=")
        try:
            factor = float(text)
        except ValueError:
            factor = math.nan
        if not pattern or not 0 <= factor < math.inf:
            raise UserError(f"{key} is {word}; wanted PATTERN=FACTOR, such as 'layer1.*=0.1', with a factor from 0 on")
        found[pattern] = factor
    return found


def by_pattern(key: str, factors: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """The factor of each name that a pattern matches; of several patterns the last one counts.

    Args:
        factors: by pattern, as in a shell.
        names: of the parameters that are trained.

    Raises:
        UserError: a pattern matches none of them.
    """
    found: dict[str, float] = {}
    for pattern, factor in factors.items():
        matched = fnmatch.filter(names, pattern)
        if not matched:
            raise UserError(f"{key} is {pattern}, which no trained parameter matches; they are {shorten(names)}")
        found.update(dict.fromkeys(matched, factor))
    return found


def by_depth(decay: float, stages: Stages, names: Sequence[str]) -> dict[str, float]:
    """decay^d of each name, where d is how many stages lie between its own and the head: the last stage has d = 1.

    Parameters of no stage are of the head, with d = 0, as in timm's `layer_decay` over the stages of a network.
    Clark et al. 2020, https://arxiv.org/abs/2003.10555, and Bao et al. 2022, https://arxiv.org/abs/2106.08254.
    """
    depths = {
        name: len(stages) - stage for stage, own in enumerate(stages) for name in names if name.startswith(tuple(own))
    }
    return {name: decay ** depths.get(name, 0) for name in names}


def together(first: Mapping[str, float], second: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """The product of two factors of each name; one that is absent is 1."""
    return {name: first.get(name, 1.0) * second.get(name, 1.0) for name in names}


def explained(what: str, factors: Mapping[str, float]) -> str:
    """A line with each factor and the parameters that have it, the smallest first."""
    by_factor: dict[float, list[str]] = {}
    for name, factor in factors.items():
        by_factor.setdefault(factor, []).append(name)
    parts = [f"{factor:g} for {len(names)} ({shorten(names, 2)})" for factor, names in sorted(by_factor.items())]
    return f"{what}: times {'; '.join(parts)}"
