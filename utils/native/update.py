"""Optimizers that change all parameters in one operator, instead of some for each: same state, same formulas."""

from __future__ import annotations

from mindspore import Tensor, nn, ops
from mindspore import dtype as mstype

from mindzoo.utils.learning.adamw import AdamW
from mindzoo.utils.learning.rmsprop import RMSProp
from mindzoo.utils.native import operators


class FusedMomentum(nn.Momentum):
    """v = momentum v + (g + decay w); w -= rate v."""

    def prepare(self) -> None:
        self.all_at_once = operators.momentum_update(len(self._parameters))
        self.options = Tensor([float(self.momentum.asnumpy())], mstype.float32)
        self.decays = _decays(self)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        rate = _vector(self.get_lr())
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        return self.all_at_once(rate, self.options, self.decays, *self._parameters, *self.moments, *gradients)


class FusedRMSProp(RMSProp):
    """s = rho s + (1 - rho) g^2; v = momentum v + rate g / sqrt(s + eps); w -= v, with g the gradient + decay w."""

    def prepare(self) -> None:
        self.all_at_once = operators.rmsprop_update(len(self._parameters))
        self.options = Tensor([self.momentum, self.decay, self.epsilon], mstype.float32)
        self.decays = _decays(self)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        rate = _vector(self.get_lr())
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        return self.all_at_once(rate, self.options, self.decays, *self._parameters, *self.ms, *self.moment, *gradients)


class FusedAdamW(AdamW):
    """The formulas of AdamW."""

    def prepare(self) -> None:
        self.all_at_once = operators.adamw_update(len(self._parameters))
        self.options = Tensor([self.beta1, self.beta2, self.epsilon], mstype.float32)
        self.decay_of_each = _decays(self)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        rate = _vector(self.get_lr())
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        return self.all_at_once(
            rate,
            self.options,
            self.corrections(),
            self.decay_of_each,
            *self._parameters,
            *self.means,
            *self.squares,
            *gradients,
        )


FUSED: dict[type[nn.Optimizer], type[nn.Optimizer]] = {
    nn.Momentum: FusedMomentum,
    RMSProp: FusedRMSProp,
    AdamW: FusedAdamW,
}


def fuse(optimizer: nn.Optimizer) -> None:
    """Let `optimizer` update by one operator, if there is one for it; its state keeps names and values."""
    kind = FUSED.get(type(optimizer))
    if kind:
        optimizer.__class__ = kind
        optimizer.prepare()


def _vector(rate: Tensor | tuple[Tensor, ...]) -> Tensor:
    """One rate as it is, or those of all parameters, of which there may be one alone, as (number of parameters,)."""
    return ops.stack(rate) if isinstance(rate, tuple) else rate


def _decays(optimizer: nn.Optimizer) -> Tensor:
    """The weight decay of each parameter, (number of parameters,) float32."""
    of_each = (
        optimizer.group_weight_decay if optimizer.is_group else [optimizer.weight_decay] * len(optimizer._parameters)
    )
    return Tensor([float(decay) for decay in of_each], mstype.float32)
