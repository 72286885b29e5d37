"""One training step as one compiled graph: forward, backward, accumulate, clip, update, average."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from mindzoo.utils.learning.optimizers import NO_DECAY
from mindzoo.utils.learning.step_state import counter, number

# The dynamic loss scale of Micikevicius et al. 2018 (https://arxiv.org/abs/1710.03740) with the zoo's constants.
SCALE_FACTOR = 2.0
SCALE_WINDOW = 2000

_multiply = ops.MultitypeFuncGraph("multiply")
_accumulate = ops.MultitypeFuncGraph("accumulate")
_reset = ops.MultitypeFuncGraph("reset")
_average = ops.MultitypeFuncGraph("average")
_finite = ops.MultitypeFuncGraph("finite")


@_multiply.register("Tensor", "Tensor")
def _multiply_tensor(factor: Tensor, gradient: Tensor) -> Tensor:
    return gradient * factor.astype(gradient.dtype)


@_accumulate.register("Tensor", "Tensor")
def _accumulate_tensor(total: Parameter, gradient: Tensor) -> Tensor:
    return ops.assign_add(total, gradient)


@_reset.register("Tensor")
def _reset_tensor(total: Parameter) -> Tensor:
    return ops.assign(total, ops.zeros_like(total))


@_average.register("Tensor", "Tensor", "Tensor")
def _average_tensor(decay: Tensor, average: Parameter, weight: Parameter) -> Tensor:
    return ops.assign(average, average * decay + weight * (1.0 - decay))


@_finite.register("Tensor")
def _finite_tensor(gradient: Tensor) -> Tensor:
    return ops.isfinite(gradient).all()


class TrainStep(nn.Cell):
    """(images (B, 3, H, W) float32, labels (B,) int32) -> the batch's loss, a float32 scalar.

    Args:
        network: images -> logits.
        loss: (logits, labels) -> scalar.
        optimizer: over the trainable parameters of `network`; its `global_step` counts updates.
        accumulation_steps: batches whose gradients are averaged into one update.
        clip_norm: the gradients of an update are scaled down to this global norm; 0 leaves them.
        ema_decay: after each update, `ema.<name>` = decay * itself + (1 - decay) * weight, for weights and batch norm
            statistics alike, not for counters; 0 keeps none.
        ema_warmup: the decay rises to `ema_decay`, see `decay_of`.
        loss_scale: factor on the loss, taken out of the gradients again; the start value of a dynamic one.
        scale_cancels: all is computed in float32, where a fixed scale changes nothing and is left out.
        dynamic_loss_scale: halve the scale and skip the update when a gradient is not finite, double it after
            2000 updates in a row.
        distributed: average gradients over the ranks.
        registers: what tells of an overflow on a card that saturates, see `overflow.StatusRegisters`; with a dynamic
            loss scale they stand in for the finite test of gradients. None: a card with infinity and NaN.
        augmentation: (images, labels) -> what `network` gets, and what `loss` gets in place of the labels; None: they stay.

    All state is in `get_parameters()`, so that one checkpoint holds it.
    """

    can_sink = True  # whether a device may be fed from a queue, with no word of the host's between two steps
    update_rule = ""  # of the optimizer that it needs, as `optimizers.create` names it; empty: any
    graphs: tuple[tuple[bool, ...], ...] = ((),)  # what each of its graphs is compiled for, beside images and labels
    no_decay: tuple[str, ...] = NO_DECAY  # see `optimizers.create`

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        *,
        accumulation_steps: int = 1,
        clip_norm: float = 0.0,
        ema_decay: float = 0.0,
        ema_warmup: bool = False,
        loss_scale: float = 1.0,
        dynamic_loss_scale: bool = False,
        scale_cancels: bool = False,
        distributed: bool = False,
        registers: nn.Cell | None = None,
        augmentation: nn.Cell | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.augments = augmentation is not None
        if augmentation is not None:
            self.augmentation = augmentation
        self.trained = optimizer.parameters
        self.gradients_of = ops.value_and_grad(self.scaled_loss, None, self.trained, has_aux=True)
        self.reduce = nn.DistributedGradReducer(self.trained, mean=True) if distributed else nn.Identity()
        self.map = ops.HyperMap()
        self.accumulation_steps, self.clip_norm, self.dynamic = accumulation_steps, clip_norm, dynamic_loss_scale
        # Whether gradients are to be multiplied with anything but 1.
        self.weighted = accumulation_steps > 1 or dynamic_loss_scale or not (scale_cancels or loss_scale == 1.0)
        self.share = Tensor(1.0 / accumulation_steps, ms.float32)
        self.scale = number("loss_scale", loss_scale) if dynamic_loss_scale else Tensor(loss_scale, ms.float32)
        if dynamic_loss_scale:
            self.good_updates = counter("loss_scale_good_updates")
        self.watched = dynamic_loss_scale and registers is not None
        if dynamic_loss_scale and registers is not None:
            self.registers, self.bad = registers, Tensor(-1, ms.int32)
            self.sum = ops.AllReduce(ops.ReduceOp.SUM) if distributed else nn.Identity()
        if accumulation_steps > 1:
            self.totals = self.trained.clone("accumulated", "zeros")
            self.seen = counter("accumulated_batches")
        self.averages = ema_decay > 0
        if self.averages:
            self.decay = Tensor(ema_decay, ms.float32)
            self.weights = ParameterTuple(
                [each for each in network.get_parameters() if each.dtype in ms.dtype.float_type]
            )
            self.shadow = self.weights.clone("ema", "same")
        self.decay_rises = self.averages and ema_warmup
        if self.decay_rises:
            self.averaged_updates = counter("averaged_updates")

    def scaled_loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.augments:
            images, labels = self.augmentation(images, labels)
        loss = self.loss(self.network(images), labels)
        return loss * self.scale if self.weighted else loss, loss

    def construct(self, images: Tensor, labels: Tensor) -> Tensor:
        if self.watched:
            images = self.registers.cleared(images)
        (_, loss), gradients = self.gradients_of(images, labels)
        if self.watched:
            # One batch of several is enough: the mark stays until the update that it spoils is skipped.
            ops.assign(self.good_updates, ops.where(self.registers(gradients), self.bad, self.good_updates))
        self.use(gradients)
        return loss

    def use(self, gradients: tuple[Tensor, ...]) -> bool:
        """Take the gradients of one scaled loss: they update, or wait for those of further batches."""
        if self.weighted:
            gradients = self.map(ops.partial(_multiply, self.share / self.scale), gradients)
        if self.accumulation_steps == 1:
            self.update(gradients)
        else:
            self.map(_accumulate, self.totals, gradients)
            ops.assign_add(self.seen, Tensor(1, ms.int32))
            if self.seen % self.accumulation_steps == 0:
                self.update(self.totals)
                self.map(_reset, self.totals)
        return True

    def update(self, gradients: tuple[Tensor, ...]) -> bool:
        gradients = self.reduce(gradients)
        if not self.dynamic:
            self.apply(gradients)
        else:
            if self.no_overflow() if self.watched else self.all_finite(gradients):
                self.apply(gradients)
                self.note_good_update()
            else:
                ops.assign(self.scale, ops.maximum(self.scale / SCALE_FACTOR, Tensor(1.0, ms.float32)))
                ops.assign(self.good_updates, Tensor(0, ms.int32))
        return True

    def apply(self, gradients: tuple[Tensor, ...]) -> bool:
        if self.clip_norm > 0:
            gradients = ops.clip_by_global_norm(gradients, self.clip_norm)
        self.optimizer(gradients)
        if self.averages:
            self.map(ops.partial(_average, self.next_decay()), self.shadow, self.weights)
        return True

    def next_decay(self) -> Tensor:
        if not self.decay_rises:
            return self.decay
        ops.assign_add(self.averaged_updates, Tensor(1, ms.int32))
        return decay_of(self.averaged_updates.astype(ms.float32), self.decay)

    def no_overflow(self) -> Tensor:
        """On no rank, in no batch of this update."""
        marked = ops.less(self.good_updates, Tensor(0, ms.int32))
        return ops.equal(self.sum(marked.astype(ms.float32)), Tensor(0.0, ms.float32))

    def all_finite(self, gradients: tuple[Tensor, ...]) -> Tensor:
        return ops.stack(self.map(_finite, gradients)).all()

    def note_good_update(self) -> bool:
        ops.assign_add(self.good_updates, Tensor(1, ms.int32))
        if self.good_updates >= SCALE_WINDOW:
            ops.assign(self.scale, self.scale * SCALE_FACTOR)
            ops.assign(self.good_updates, Tensor(0, ms.int32))
        return True


def decay_of(updates: Tensor, most: Tensor) -> Tensor:
    """The decay of the averaged weights at the update `updates` (from 1), at most `most`: float32 scalars.

    It is min(most, (1 + t) / (10 + t)), that of TensorFlow's tf.train.ExponentialMovingAverage with `num_updates` t: so the
    first weights, which are random or of other data, are soon forgotten.
    """
    return ops.minimum(most, (updates + 1.0) / (updates + 10.0))
