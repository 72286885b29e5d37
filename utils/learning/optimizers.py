"""Optimizers with decay groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from mindzoo.utils.learning.rmsprop import RMSProp

NO_DECAY = (".bias", ".gamma", ".beta")


def decay_groups(
    parameters: list[Parameter], weight_decay: float, endings: tuple[str, ...] = NO_DECAY
) -> list[dict[str, Any]]:
    """Two groups: names with one of `endings`, biases and batch norm's, without weight decay, the rest with it.

    Decaying them costs accuracy (He et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1). The group without
    decay comes first, as in the original zoo's checkpoints; an empty group is left out, since MindSpore refuses it.
    """
    without = [p for p in parameters if p.name.endswith(endings)]
    rest = [p for p in parameters if not p.name.endswith(endings)]
    groups = [{"params": without, "weight_decay": 0.0}, {"params": rest, "weight_decay": weight_decay}]
    return [group for group in groups if group["params"]]


def create(
    name: str,
    network: nn.Cell,
    rates: np.ndarray,
    *,
    momentum: float,
    weight_decay: float,
    eps: float = 1e-3,
    rho: float = 0.9,
    loss_parameters: Sequence[Parameter] = (),
    no_decay: tuple[str, ...] = NO_DECAY,
) -> nn.Optimizer:
    """An optimizer over the trainable parameters of `network` that takes rate i of `rates` at its step i.

    Args:
        name: "momentum" (v = momentum v + g; w -= rate v), "nesterov" (w -= rate (g + momentum v)), "rmsprop"
            (s = rho s + (1 - rho) g^2, from 1; v = momentum v + rate g / sqrt(s + eps); w -= v).
        loss_parameters: are trained too, without weight decay.
        no_decay: the last parts of the names of parameters that are not decayed.

    Raises:
        ValueError: another name.
    """
    groups = decay_groups(network.trainable_params(), weight_decay, no_decay)
    if loss_parameters:
        groups.append({"params": list(loss_parameters), "weight_decay": 0.0})
    rate = Tensor(np.asarray(rates, np.float32))
    if name == "momentum":
        return nn.Momentum(groups, rate, momentum)
    if name == "nesterov":
        # The CPU kernel of nn.Momentum ignores use_nesterov.
        return nn.SGD(groups, rate, momentum, nesterov=True)
    if name == "rmsprop":
        kind = nn.RMSProp if ms.get_context("device_target") == "Ascend" else RMSProp
        return kind(groups, rate, decay=rho, momentum=momentum, epsilon=eps)
    raise ValueError(f"optimizer {name!r}; wanted momentum, nesterov or rmsprop")


def start_at(optimizer: nn.Optimizer, updates: int) -> None:
    """Let the next update take the rate of update `updates` (from 0)."""
    optimizer.global_step.set_data(Tensor(np.full(optimizer.global_step.shape, updates, np.int32)))
