"""What multiplies the learning rate and the weight decay of single parameters."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mindspore import nn

from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import aside

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
    """decay^d of each name: d is 1 in the last stage, and one more in each stage before it.

    Parameters of no stage are of the head, with d = 0. Clark et al. 2020, https://arxiv.org/abs/2003.10555, section 3, and
    Bao et al. 2022, https://arxiv.org/abs/2106.08254, have a rate for each layer of a transformer; here a stage has one.

    Args:
        stages: those that this network has no parameter of, because it is a smaller one, do not count.
        names: of all parameters, frozen or not.
    """
    stages = [own for own in stages if any(name.startswith(tuple(own)) for name in names)]
    depths = {
        name: len(stages) - stage for stage, own in enumerate(stages) for name in names if name.startswith(tuple(own))
    }
    return {name: decay ** depths.get(name, 0) for name in names}


def of(config: Any, network: nn.Cell, stages: Stages, loss: nn.Cell | None = None) -> dict[str, dict[str, float]]:
    """The `rate_factors` and `decay_factors` of an optimizer that a TrainConfig asks for; says which there are.

    Raises:
        UserError: a pattern matches no parameter that is trained, or the network has no stages to decay over.
    """
    names = [parameter.name for parameter in network.trainable_params()]
    rates, decays = dict[str, float](), dict[str, float]()
    if config.layer_decay != 1:
        if not stages:
            raise UserError(f"layer_decay is {config.layer_decay:g}, and this network has no stages; use lr_groups")
        everything = [parameter.name for parameter in network.get_parameters()]
        depths = by_depth(config.layer_decay, stages, everything)
        rates = {name: depths[name] for name in names}
    if config.lr_groups:
        loss_names = [parameter.name for parameter in loss.trainable_params()] if loss else []
        groups = by_pattern("lr_groups", parsed("lr_groups", config.lr_groups), [*names, *loss_names])
        rates = {name: rates.get(name, 1.0) * groups.get(name, 1.0) for name in [*names, *loss_names]}
    if config.weight_decay_groups:
        decays = by_pattern("weight_decay_groups", parsed("weight_decay_groups", config.weight_decay_groups), names)
    for what, factors in {"learning rates": rates, "weight decay": decays}.items():
        if factors:
            aside(explained(what, factors))
    return {"rate_factors": rates, "decay_factors": decays}


def explained(what: str, factors: Mapping[str, float]) -> str:
    """A line with each factor and the parameters that have it, the smallest first."""
    by_factor: dict[float, list[str]] = {}
    for name, factor in factors.items():
        by_factor.setdefault(factor, []).append(name)
    parts = [f"{factor:g} for {len(names)} ({shorten(names, 2)})" for factor, names in sorted(by_factor.items())]
    return f"{what}: times {'; '.join(parts)}"
