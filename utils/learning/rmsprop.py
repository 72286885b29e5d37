"""RMSProp as an expression of plain operators."""

from __future__ import annotations

from mindspore import Parameter, Tensor, nn, ops

_update = ops.MultitypeFuncGraph("rmsprop")


@_update.register("Number", "Number", "Number", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor")
def _update_parameter(
    rho: float,
    momentum: float,
    eps: float,
    rate: Tensor,
    weight: Parameter,
    square: Parameter,
    moment: Parameter,
    gradient: Tensor,
) -> Tensor:
    ops.assign(square, rho * square + (1.0 - rho) * gradient * gradient)
    ops.assign(moment, momentum * moment + rate * gradient / ops.sqrt(square + eps))
    return ops.assign_sub(weight, moment)


class RMSProp(nn.RMSProp):
    """nn.RMSProp with the same state, without its kernel.

    MindSpore's ApplyRMSProp on the CPU gives other bits from a process' sixth call on, so that a run that goes on
    does not end as one without a break.
    """

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        gradients = self.scale_grad(self.gradients_centralization(self.decay_weight(gradients)))
        rate = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        if self.is_group_lr:
            update = ops.partial(_update, self.decay, self.momentum, self.epsilon)
            return self.hyper_map(update, rate, self._parameters, self.ms, self.moment, gradients)
        update = ops.partial(_update, self.decay, self.momentum, self.epsilon, rate)
        return self.hyper_map(update, self._parameters, self.ms, self.moment, gradients)
