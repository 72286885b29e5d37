"""Optimizers with decay groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from mindzoo.utils.learning.adamw import AdamW
from mindzoo.utils.learning.plateau import Plateau
from mindzoo.utils.learning.rmsprop import RMSProp

NO_DECAY = (".bias", ".gamma", ".beta")
NONE: Mapping[str, float] = MappingProxyType({})


def decay_groups(
    parameters: list[Parameter],
    weight_decay: float,
    endings: tuple[str, ...] = NO_DECAY,
    factors: Mapping[str, float] = NONE,
) -> list[dict[str, Any]]:
    """Groups by weight decay: names with one of `endings`, biases and batch norm's, without any, the rest with it.

    Decaying them costs accuracy (He et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1). The group without
    decay comes first, as in the original zoo's checkpoints; an empty group is left out, since MindSpore refuses it.

    Args:
        factors: on the weight decay of single parameters, by name.
    """
    groups: dict[float, list[Parameter]] = {0.0: [], 1.0: []}
    for parameter in parameters:
        factor = 0.0 if parameter.name.endswith(endings) else factors.get(parameter.name, 1.0)
        groups.setdefault(factor, []).append(parameter)
    return [{"params": own, "weight_decay": factor * weight_decay} for factor, own in groups.items() if own]


def create(
    name: str,
    network: nn.Cell,
    rates: np.ndarray,
    *,
    momentum: float,
    weight_decay: float,
    eps: float = 1e-3,
    rho: float = 0.9,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    loss_parameters: Sequence[Parameter] = (),
    no_decay: tuple[str, ...] = NO_DECAY,
    rate_factors: Mapping[str, float] = NONE,
    decay_factors: Mapping[str, float] = NONE,
    plateau: Plateau | None = None,
) -> nn.Optimizer:
    """An optimizer over the trainable parameters of `network` that takes rate i of `rates` at its step i.

    Args:
        name: "momentum" (v = momentum v + g; w -= rate v), "nesterov" (w -= rate (g + momentum v)), "rmsprop"
            (s = rho s + (1 - rho) g^2, from 1; v = momentum v + rate g / sqrt(s + eps); w -= v), "adamw" (see `AdamW`).
        loss_parameters: are trained too, without weight decay.
        no_decay: the last parts of the names of parameters that are not decayed.
        rate_factors, decay_factors: on the rates and on the weight decay of single parameters, by name.
        plateau: what else multiplies all rates.

    Raises:
        ValueError: another name.
    """
    groups = decay_groups(network.trainable_params(), weight_decay, no_decay, decay_factors)
    if loss_parameters:
        groups.append({"params": list(loss_parameters), "weight_decay": 0.0})
    optimizer = _of_kind(name, groups, Tensor(np.asarray(rates, np.float32)), momentum, rho, eps, betas, epsilon)
    _change_rates(optimizer, rate_factors, plateau)
    return optimizer


def _of_kind(
    name: str,
    groups: list[dict[str, Any]],
    rate: Tensor,
    momentum: float,
    rho: float,
    eps: float,
    betas: tuple[float, float],
    epsilon: float,
) -> nn.Optimizer:
    if name == "momentum":
        return nn.Momentum(groups, rate, momentum)
    if name == "nesterov":
        # The CPU kernel of nn.Momentum ignores use_nesterov.
        return nn.SGD(groups, rate, momentum, nesterov=True)
    if name == "rmsprop":
        kind = nn.RMSProp if ms.get_context("device_target") == "Ascend" else RMSProp
        return kind(groups, rate, decay=rho, momentum=momentum, epsilon=eps)
    if name == "adamw":
        return AdamW(groups, rate, betas, epsilon)
    raise ValueError(f"optimizer {name!r}; wanted momentum, nesterov, rmsprop or adamw")


class ScaledRate(nn.Cell):
    """(global step) -> the rate of `rates`, times `share`, times a constant factor."""

    def __init__(self, rates: nn.Cell, factor: float, share: nn.Cell) -> None:
        super().__init__(auto_prefix=False)  # the array keeps its name in checkpoints
        self.rates, self.share = rates, share
        self.factor = Tensor(factor, ms.float32)

    def construct(self, global_step: Tensor) -> Tensor:
        return self.share(self.rates(global_step)) * self.factor


def _change_rates(optimizer: nn.Optimizer, factors: Mapping[str, float], plateau: Plateau | None) -> None:
    """Multiply the rates of an optimizer; the same array of rates serves all of its parameters."""
    optimizer.plateau = plateau
    if plateau is None and not factors:
        return
    rates, share = optimizer.learning_rate, plateau or nn.Identity()
    if not factors:
        optimizer.learning_rate = ScaledRate(rates, 1.0, share)
        return
    of_each = [factors.get(parameter.name, 1.0) for parameter in optimizer.parameters]
    scaled = {factor: ScaledRate(rates, factor, share) for factor in set(of_each)}
    optimizer.is_group_lr = True
    optimizer.learning_rate = nn.CellList([scaled[factor] for factor in of_each], auto_prefix=False)


def start_at(optimizer: nn.Optimizer, updates: int) -> None:
    """Let the next update take the rate of update `updates` (from 0)."""
    optimizer.global_step.set_data(Tensor(np.full(optimizer.global_step.shape, updates, np.int32)))
