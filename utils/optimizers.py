"""Optimizers with decay groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn

NO_DECAY = (".bias", ".gamma", ".beta")


def decay_groups(parameters: Sequence[Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: biases and batch norm's gamma and beta without weight decay, the rest with it.

    Decaying them costs accuracy (He et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1). The group without
    decay comes first, as in the original zoo's checkpoints; an empty group is left out, since MindSpore refuses it.
    """
    without = [p for p in parameters if p.name.endswith(NO_DECAY)]
    rest = [p for p in parameters if not p.name.endswith(NO_DECAY)]
    groups = [{"params": without, "weight_decay": 0.0}, {"params": rest, "weight_decay": weight_decay}]
    return [group for group in groups if group["params"]]


def create(
    name: str,
    parameters: Sequence[Parameter],
    rates: np.ndarray,
    *,
    momentum: float,
    weight_decay: float,
    eps: float = 1e-3,
    rho: float = 0.9,
) -> nn.Optimizer:
    """An optimizer over `parameters` that takes rate i of `rates` at its step i.

    Args:
        name: "momentum" (v = momentum v + g; w -= rate v), "nesterov" (w -= rate (g + momentum v)) or "rmsprop"
            (s = rho s + (1 - rho) g^2, from 1; v = momentum v + rate g / sqrt(s + eps); w -= v).

    Raises:
        ValueError: another name.
    """
    groups = decay_groups(parameters, weight_decay)
    rate = Tensor(np.asarray(rates, np.float32))
    if name == "momentum":
        return nn.Momentum(groups, rate, momentum)
    if name == "nesterov":
        # The CPU kernel of nn.Momentum ignores use_nesterov.
        return nn.SGD(groups, rate, momentum, nesterov=True)
    if name == "rmsprop":
        return nn.RMSProp(groups, rate, decay=rho, momentum=momentum, epsilon=eps)
    raise ValueError(f"optimizer {name!r}; wanted momentum, nesterov or rmsprop")


def start_at(optimizer: nn.Optimizer, updates: int) -> None:
    """Let the next update take the rate of update `updates` (from 0)."""
    optimizer.global_step.set_data(Tensor(np.full(optimizer.global_step.shape, updates, np.int32)))
