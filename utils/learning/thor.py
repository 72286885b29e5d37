"""THOR: the training step of utils/train_step.py with second-order updates.

Chen et al. 2021, "THOR, Trace-based Hardware-driven Layer-Oriented Natural Gradient Descent Computation", AAAI,
https://ojs.aaai.org/index.php/AAAI/article/view/16867, as the original MindSpore zoo has it: for the weights W of a
convolution or dense layer, with the factors A and G of utils/second_order.py and the damping d,

    P = (G + sqrt(d) I)^-1  dL/dW  (A + sqrt(d) I)^-1

in place of the gradient dL/dW. All other parameters keep their gradient. An optimizer takes the step, momentum with
weight decay in the original. Factors are of one batch, that of the update which refreshes them, and are kept for
`frequency` updates, the same for all layers: like the original, this has nothing of the paper's rule that chooses layers
by the trace of their factors. Ranks average factors before they invert them; the original averages the inverses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from mindzoo.utils.learning import second_order
from mindzoo.utils.learning.buckets import BucketMean, split_at
from mindzoo.utils.learning.step_state import counter
from mindzoo.utils.learning.train_step import TrainStep

_unit = ops.Eye()


class ThorStep(TrainStep):
    """(images (B, 3, H, W) float32, labels (B,) int32) -> the batch's loss, a float32 scalar.

    Args:
        network: images -> logits. Its convolutions without groups and its dense layers are trained with second-order
            updates from now on, as far as `optimizer` has their weights; a weight that is used past its layer is not.
        loss: (logits, labels) -> scalar, a mean over the batch.
        optimizer: what takes the steps, "thor" of utils/optimizers.py in the original; it sees P in place of gradients.
            It may have parameters of `loss` too.
        dampings: the damping d of each update, float32; the last one stays.
        frequency: updates from one refresh of the factors to the next.
        block_size: the most rows of a block on the factors' diagonals; the rest of a factor counts as zero.
        split_indices: with several ranks the factors are averaged in groups of layers, a group as one all-reduce; the
            numbers (from 0) of the last layer of each group, as of `nn.thor`. Layers behind the last are one more group.
        options: those of `TrainStep`. `clip_norm` limits the norm of all P and remaining gradients together. With
            `accumulation_steps` the factors are of the last of an update's batches.

    The two kinds of update are two compiled graphs; `factor_age`, a parameter as all other state, says which is next.
    The choice is the host's, so a device that is fed from a queue (data sink) cannot run this step.

    Raises:
        ValueError: `frequency` or `block_size` is below 1, or nothing in `network` has factors.
    """

    can_sink = False
    update_rule = "momentum"
    graphs = ((True,), (False,))  # with a refresh of the factors and without
    no_decay = ()  # as in the original, all weights decay

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        dampings: np.ndarray,
        *,
        frequency: int,
        block_size: int = 128,
        split_indices: Sequence[int] = (),
        **options: Any,
    ) -> None:
        super().__init__(network, loss, optimizer, **options)
        if min(frequency, block_size) < 1:
            raise ValueError(f"frequency is {frequency} and block_size is {block_size}; wanted at least 1")
        layers = second_order.record(network, self.trained, block_size)
        if not layers:
            raise ValueError("the network has no trained convolution without groups and no trained dense layer")
        # A and G of the first layer, A and G of the second, and so on.
        self.inverses = ParameterTuple([inverse for layer in layers for inverse in (layer.a_inverse, layer.g_inverse)])
        self.layer_of = _positions(self.trained, [layer.weight for layer in layers])
        with_factors = ParameterTuple([*self.trained, *self.inverses])
        self.gradients_and_factors_of = ops.value_and_grad(self.scaled_loss, None, with_factors, has_aux=True)
        groups = split_at(len(layers), split_indices)
        self.reduce_factors = BucketMean([2 * size for size in groups]) if options.get("distributed") else nn.Identity()
        self.inverse = second_order.inverter()
        self.dampings = Tensor(np.asarray(dampings, np.float32))
        self.frequency = frequency
        self.factor_age = counter("thor.factor_age", frequency)
        self.quiet = (
            0  # so many batches to come cannot refresh, and the device, which would have to finish, is not asked
        )

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        refresh = False
        if self.quiet > 0:
            self.quiet -= 1
        else:
            distance = self.batches_before_refresh()
            refresh = distance == 0
            self.quiet = self.quiet_after_refresh() if refresh else distance - 1
        return super().__call__(images, labels, refresh)

    def look_again(self) -> None:
        """Ask the device at the next batch; for whoever changes the state of a step that has run."""
        self.quiet = 0

    def compile(self, images: Tensor, labels: Tensor, *refresh: bool) -> None:
        """Compile the graph with a refresh of the factors or the one without; both if `refresh` is not given."""
        for choice in refresh or (True, False):
            super().compile(images, labels, choice)

    def is_refresh_due(self) -> bool:
        """Whether the next batch refreshes the factors; reads from the device."""
        return self.batches_before_refresh() == 0

    def batches_before_refresh(self) -> int:
        """How many batches come before one that refreshes, at least: an update that is skipped lets factors stay young."""
        seen = int(self.seen.asnumpy()) % self.accumulation_steps if self.accumulation_steps > 1 else 0
        updates = max(self.frequency - int(self.factor_age.asnumpy()), 0)
        return updates * self.accumulation_steps + self.accumulation_steps - 1 - seen

    def quiet_after_refresh(self) -> int:
        """How many batches after a refresh cannot be one again; with a dynamic scale it may have come to nothing."""
        return 0 if self.dynamic else self.frequency * self.accumulation_steps - 1

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
        """Invert the factors of a scaled loss, A and G by turns, unless one of a dynamic scale is not finite."""
        factors = self.reduce_factors(factors)
        keep = ops.logical_not(self.all_finite(factors)) if self.dynamic else Tensor(False)
        for i in range(0, len(self.inverses), 2):
            a, g = factors[i], factors[i + 1]
            if self.weighted:
                g = g / self.scale / self.scale
            root = self.root_of_damping(a)
            self.keep_or_assign(self.inverses[i], self.damped_inverse(a, root), keep)
            self.keep_or_assign(self.inverses[i + 1], self.damped_inverse(g, root), keep)
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
                matrix = second_order.between(self.inverses[2 * layer + 1], matrix, self.inverses[2 * layer])
                gradient = ops.reshape(matrix, gradient.shape)
            result = (*result, gradient)
        return result


def rounded_frequency(frequency: int, steps_per_epoch: int) -> tuple[int, str | None]:
    """The divisor of `steps_per_epoch` that is nearest to `frequency`, the smaller of two; a line if it is another.

    So the factors are refreshed at the same places of every epoch, as the original zoo demands. A step is an update.

    Raises:
        ValueError: a number is below 1.
    """
    if min(frequency, steps_per_epoch) < 1:
        raise ValueError(f"frequency is {frequency}, steps_per_epoch {steps_per_epoch}; wanted at least 1")
    divisors = [number for number in range(1, steps_per_epoch + 1) if steps_per_epoch % number == 0]
    nearest = min(divisors, key=lambda divisor: abs(divisor - frequency))
    if nearest == frequency:
        return frequency, None
    return nearest, f"frequency {frequency} does not divide the {steps_per_epoch} steps of an epoch: using {nearest}"


def _positions(parameters: Sequence[Parameter], weights: Sequence[Parameter]) -> tuple[int, ...]:
    """For each parameter the number of its layer, or -1."""
    numbers = {id(weight): number for number, weight in enumerate(weights)}
    return tuple(numbers.get(id(parameter), -1) for parameter in parameters)
