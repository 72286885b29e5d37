"""AdamW as an expression of plain operators."""

from __future__ import annotations

import math
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.learning.step_state import counter

_update = ops.MultitypeFuncGraph("adamw")


@_update.register(
    "Number", "Number", "Number", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor"
)
def _update_parameter(
    beta1: float,
    beta2: float,
    epsilon: float,
    correction1: Tensor,
    correction2: Tensor,
    rate: Tensor,
    decay: Tensor,
    weight: Parameter,
    mean: Parameter,
    square: Parameter,
    gradient: Tensor,
) -> Tensor:
    ops.assign(mean, beta1 * mean + (1.0 - beta1) * gradient)
    ops.assign(square, beta2 * square + (1.0 - beta2) * gradient * gradient)
    step = (mean / correction1) / (ops.sqrt(square / correction2) + epsilon)
    return ops.assign(weight, weight - rate * (decay * weight + step))


class AdamW(nn.Optimizer):
    """m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g^2; w -= rate (decay w + m' / (sqrt(s') + epsilon)).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) at update t, from 1: without them the first updates, whose moments began
    at 0, would be too small. Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101, algorithm 2, with the decay
    times the rate, as PyTorch has it. MindSpore's nn.AdamWeightDecay does not correct the moments.

    Args:
        groups: as those of any optimizer of MindSpore, each with its `weight_decay`.
        rates: (updates,) float32.
        betas: b1 and b2.
        epsilon: added to the root.
    """

    def __init__(self, groups: list[dict[str, Any]], rates: Tensor, betas: tuple[float, float], epsilon: float) -> None:
        super().__init__(rates, groups)
        self.beta1, self.beta2 = betas
        self.epsilon = epsilon
        self.means = self.parameters.clone("moment1", "zeros")
        self.squares = self.parameters.clone("moment2", "zeros")
        # Of the moments: `global_step` is the place in the schedule, where a training may begin with moments of zero.
        self.updates = counter("adamw_updates")
        self.logarithms = Tensor(np.log(np.maximum(betas, math.exp(-80.0))), ms.float32)
        self.decays = tuple(Tensor(float(decay), ms.float32) for decay in self.group_weight_decay)

    @property
    def counted_together(self) -> set[str]:
        """The names of the state that one count of updates is of: a moment that began later than it would be corrected wrongly."""
        return {parameter.name for parameter in (*self.means, *self.squares, self.updates)}

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rate = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        corrections = self.corrections()
        state = (self.decays, self._parameters, self.means, self.squares, gradients)
        if self.is_group_lr:
            update = ops.partial(_update, self.beta1, self.beta2, self.epsilon, corrections[0], corrections[1])
            return self.hyper_map(update, rate, *state)
        update = ops.partial(_update, self.beta1, self.beta2, self.epsilon, corrections[0], corrections[1], rate)
        return self.hyper_map(update, *state)

    def corrections(self) -> Tensor:
        """1 - b1^t and 1 - b2^t of the next update, (2,) float32, exact also where a power is nearly 1."""
        updates = ops.assign_add(self.updates, Tensor(1, ms.int32))
        return -ops.expm1(self.logarithms * updates.astype(ms.float32))
