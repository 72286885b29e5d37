"""THOR: the training step of utils/train_step.py with second-order updates.

Chen et al. 2021, "THOR, Trace-based Hardware-driven Layer-Oriented Natural Gradient Descent Computation", AAAI,
https://ojs.aaai.org/index.php/AAAI/article/view/16867, as the original MindSpore zoo has it: for the weights W of a
convolution or dense layer, with the factors A and G of utils/second_order.py and the damping d,

    P = (G + sqrt(d) I)^-1  dL/dW  (A + sqrt(d) I)^-1

in place of the gradient dL/dW. All other parameters keep their gradient. An optimizer takes the step: momentum with
weight decay (the original decays biases and batch norm too; ours leaves them out, see utils/optimizers.py). Factors are
of one batch, that of the update which refreshes them, and are kept for `frequency` updates, the same for all layers:
like the original, this has nothing of the paper's rule that chooses layers by the trace of their factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from mindzoo.utils import second_order
from mindzoo.utils.train_step import TrainStep

# The first group of fused all-reduces of factors; 1 is that of the gradients.
FACTOR_FUSION = 2

_unit = ops.Eye()


class ThorStep(TrainStep):
    """(images (B, 3, H, W) float32, labels (B,) int32) -> the batch's loss, a float32 scalar.

    Args:
        network: images -> logits. Its convolutions without groups and its dense layers are trained with second-order
            updates from now on, as far as `optimizer` has their weights; a weight that is used past its layer is not.
        loss: (logits, labels) -> scalar, a mean over the batch.
        optimizer: what takes the steps, `nn.Momentum` in the original; it sees P in place of gradients.
        dampings: the damping d of each update, float32; the last one stays.
        frequency: updates from one refresh of the factors to the next.
        block_size: the most rows of a block on the factors' diagonals; the rest of a factor counts as zero.
        reduce_splits: on Ascend, numbers of layers at which a new group of all-reduces of the factors begins.
        options: those of `TrainStep`. `clip_norm` limits the norm of all P and remaining gradients together. With
            `accumulation_steps` the factors are of the last of an update's batches.

    The two kinds of update are two compiled graphs; `factor_age`, a parameter as all other state, says which is next.
    The choice is the host's, so a device that is fed from a queue (data sink) cannot run this step.

    Raises:
        ValueError: `frequency` or `block_size` is below 1, or nothing in `network` has factors.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        dampings: np.ndarray,
        *,
        frequency: int,
        block_size: int = 128,
        reduce_splits: Sequence[int] = (),
        **options: Any,
    ) -> None:
        super().__init__(network, loss, optimizer, **options)
        if min(frequency, block_size) < 1:
            raise ValueError(f"frequency is {frequency} and block_size is {block_size}; wanted at least 1")
        layers = second_order.record(network, self.trained, block_size)
        if not layers:
            raise ValueError("the network has no trained convolution without groups and no trained dense layer")
        self.a_inverses = ParameterTuple([layer.a_inverse for layer in layers])
        self.g_inverses = ParameterTuple([layer.g_inverse for layer in layers])
        self.layer_of = _positions(self.trained, [layer.weight for layer in layers])
        inverses = ParameterTuple([*self.a_inverses, *self.g_inverses])
        with_factors = ParameterTuple([*self.trained, *inverses])
        self.gradients_and_factors_of = ops.value_and_grad(self.scaled_loss, None, with_factors, has_aux=True)
        self.reduce_factors = nn.Identity()
        if options.get("distributed"):
            _split_reduction(layers, reduce_splits)
            self.reduce_factors = nn.DistributedGradReducer(inverses, mean=True, fusion_type=FACTOR_FUSION)
        self.inverse = second_order.inverter()
        self.dampings = Tensor(np.asarray(dampings, np.float32))
        self.frequency = frequency
        self.factor_age = Parameter(Tensor(frequency, ms.int32), name="thor.factor_age", requires_grad=False)

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        return super().__call__(images, labels, self.is_refresh_due())

    def compile(self, images: Tensor, labels: Tensor, *refresh: bool) -> None:
        """Compile the graph with a refresh of the factors or the one without; both if `refresh` is not given."""
        for choice in refresh or (True, False):
            super().compile(images, labels, choice)

    def is_refresh_due(self) -> bool:
        """Whether the next batch refreshes the factors."""
        completes = self.accumulation_steps == 1 or (int(self.seen.asnumpy()) + 1) % self.accumulation_steps == 0
        return completes and int(self.factor_age.asnumpy()) >= self.frequency

    def construct(self, images: Tensor, labels: Tensor, refresh: bool) -> Tensor:  # type: ignore[override]
        if refresh:
            (_, loss), values = self.gradients_and_factors_of(images, labels)
            gradients = values[: len(self.trained)]
            self.refresh(values[len(self.trained) :])
        else:
            (_, loss), gradients = self.gradients_of(images, labels)
        self.use(gradients)
        return loss

    def refresh(self, factors: tuple[Tensor, ...]) -> bool:
        """Invert the factors of a scaled loss, all A and then all G, unless one of a dynamic scale is not finite."""
        factors = self.reduce_factors(factors)
        count = len(self.a_inverses)
        keep = ops.logical_not(self.all_finite(factors)) if self.dynamic else Tensor(False)
        for i in range(count):
            a, g = factors[i], factors[count + i] / self.scale / self.scale
            root = self.root_of_damping(a)
            self.keep_or_assign(self.a_inverses[i], self.damped_inverse(a, root), keep)
            self.keep_or_assign(self.g_inverses[i], self.damped_inverse(g, root), keep)
        self.keep_or_assign(self.factor_age, Tensor(0, ms.int32), keep)
        return True

    def root_of_damping(self, a: Tensor) -> Tensor:
        """sqrt(d), and 1 where A is zero, as it is for a weight that is used past its layer: both inverses become I."""
        last = self.dampings.shape[0] - 1
        damping = ops.gather(self.dampings, ops.minimum(self.optimizer.global_step, last), 0)
        return ops.where(ops.reduce_max(a) > 0, ops.sqrt(damping), Tensor(1.0, ms.float32))

    def damped_inverse(self, factor: Tensor, root: Tensor) -> Tensor:
        return self.inverse(factor + root * _unit(factor.shape[-1], factor.shape[-1], ms.float32))

    def keep_or_assign(self, parameter: Parameter, value: Tensor, keep: Tensor) -> bool:
        ops.assign(parameter, ops.where(keep, parameter, value) if self.dynamic else value)
        return True

    def apply(self, gradients: tuple[Tensor, ...]) -> bool:
        ops.assign_add(self.factor_age, Tensor(1, ms.int32))
        return super().apply(self.preconditioned(gradients))

    def preconditioned(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """P for the weights of the layers with factors, the gradient itself for everything else."""
        result: tuple[Tensor, ...] = ()
        for i in range(len(gradients)):
            gradient, layer = gradients[i], self.layer_of[i]
            if layer >= 0:
                matrix = ops.reshape(gradient, (gradient.shape[0], -1))
                matrix = second_order.between(self.g_inverses[layer], matrix, self.a_inverses[layer])
                gradient = ops.reshape(matrix, gradient.shape)
            result = (*result, gradient)
        return result


def fitting_frequency(frequency: int, updates_per_epoch: int) -> tuple[int, str]:
    """The divisor of the updates of an epoch that is nearest to `frequency` by ratio, and a line if it is another.

    So the factors are refreshed at the same places of every epoch, as the original zoo demands.

    Raises:
        ValueError: a number is below 1.
    """
    if min(frequency, updates_per_epoch) < 1:
        raise ValueError(f"frequency is {frequency}, updates_per_epoch {updates_per_epoch}; wanted at least 1")
    divisors = [number for number in range(1, updates_per_epoch + 1) if updates_per_epoch % number == 0]
    nearest = min(divisors, key=lambda divisor: abs(math.log(divisor / frequency)))
    if nearest == frequency:
        return frequency, ""
    line = f"frequency is {frequency}, no divisor of the {updates_per_epoch} updates of an epoch: using {nearest}"
    return nearest, line


def _positions(parameters: Sequence[Parameter], weights: Sequence[Parameter]) -> tuple[int, ...]:
    """For each parameter the number of its layer, or -1."""
    numbers = {id(weight): number for number, weight in enumerate(weights)}
    return tuple(numbers.get(id(parameter), -1) for parameter in parameters)


def _split_reduction(layers: Sequence[second_order.Layer], splits: Sequence[int]) -> None:
    """Give each layer's factors the number of the group of all-reduces that they are fused into. Ascend alone fuses."""
    if not splits or ms.get_context("device_target") != "Ascend":
        return
    for number, layer in enumerate(layers):
        group = FACTOR_FUSION + sum(number >= split for split in splits)
        layer.a_inverse.comm_fusion = layer.g_inverse.comm_fusion = group
