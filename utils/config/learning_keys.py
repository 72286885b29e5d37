"""The configuration keys of what a training step computes: loss, learning rate, update rule."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.rate_keys import BUT_ONE_CYCLE
from mindzoo.utils.config.reading import key

NATIVE_CHOICES = ("auto", "on", "off")
MOST_EPOCHS = 1_000_000
# Keys that have no effect beside another value of this one.
RMSPROP, ADAMW = ("optimizer", ("rmsprop",)), ("optimizer", ("adamw",))
UPDATE_RULES = ("momentum", "nesterov", "rmsprop", "adamw")
WITH_MOMENTUM = ("momentum", "nesterov", "rmsprop")


@dataclass(frozen=True)
class LossKeys:
    """Loss"""

    label_smooth: bool = key(False, "smooth the labels of the cross entropy")
    label_smooth_factor: float = key(
        0.1,
        "what is taken from the true class and spread over the others",
        minimum=0,
        maximum=0.999,
        only_with=("label_smooth", (True,)),
    )

    @property
    def smoothing(self) -> float:
        """The label smoothing that takes effect."""
        return self.label_smooth_factor if self.label_smooth else 0.0


@dataclass(frozen=True)
class ClassWeightKeys:
    """Weight of the classes in the loss"""

    class_weights: str = key(
        "none",
        "weight of an image's loss; balanced: one over the size of its class; square_root: one over the root of it; effective: one over the effective number of its images",
        choices=("none", "balanced", "square_root", "effective"),
    )


@dataclass(frozen=True)
class ScheduleKeys:
    """Learning rate"""

    max_epoch: int = key(120, "epochs to train", minimum=1, maximum=MOST_EPOCHS)
    begin_epoch: int = key(
        0,
        "epochs that the checkpoint was trained already, where the schedule goes on; not given: what the checkpoint says, where it is resumed",
        minimum=0,
    )
    end_epoch: int = key(0, "stop after so many epochs, with the schedule of max_epoch; 0: after max_epoch", minimum=0)
    max_steps: int = key(0, "stop after so many steps in all; 0: after max_epoch epochs", minimum=0)
    lr: float = key(0.1, "learning rate before any decay", minimum=0)
    lr_base_batch: int = key(
        0,
        "images per update, over all ranks, that the learning rates are meant for: another number of images multiplies them by its share; 0: they are taken as they are",
        minimum=0,
    )
    warmup_epochs: int = key(
        0, "epochs in which the learning rate rises from 0, step by step", minimum=0, only_with=BUT_ONE_CYCLE
    )


@dataclass(frozen=True)
class OptimizerKeys:
    """Optimizer and step"""

    optimizer: str = key("momentum", "update rule", choices=UPDATE_RULES)
    momentum: float = key(0.9, "momentum of the update", minimum=0, maximum=1, only_with=("optimizer", WITH_MOMENTUM))
    weight_decay: float = key(
        1e-4, "L2 decay of weights; biases and batch norm's gamma and beta are left out", minimum=0
    )
    eps: float = key(
        0.001, "added to the mean square of the gradients, under the root", minimum=1e-12, only_with=RMSPROP
    )
    rho: float = key(0.9, "decay of the mean square of the gradients", minimum=0, maximum=1, only_with=RMSPROP)
    accumulation_steps: int = key(
        1, "batches whose gradients are averaged into one update", minimum=1, only_with=("global_batch", (0,))
    )
    clip_norm: float = key(0.0, "largest global norm of the gradients; 0: not clipped", minimum=0)
    ema_decay: float = key(0.0, "decay of the averaged weights; 0: none are kept", minimum=0, maximum=0.99999)
    sync_batch_norm: bool = key(False, "batch norm over the images of all ranks, not of each by itself")
    amp_level: str = key(
        "auto",
        "mixed precision: O0 float32, O2 float16 but batch norm, O3 float16; auto: on Ascend that of the original's script, else O0",
        choices=("auto", "O0", "O2", "O3"),
    )
    jit_level: str = key(
        "auto",
        "how MindSpore compiles for Ascend: O0 operator by operator, O1 with small ones fused, O2 the whole graph, for the first 910 only; auto: MindSpore chooses",
        choices=("auto", "O0", "O1", "O2"),
    )
    native: str = key(
        "auto",
        "on a CPU: native operators, which are built once and train faster than MindSpore's; auto: what the variable MINDZOO_NATIVE says, else where they can be used",
        choices=NATIVE_CHOICES,
    )
    deterministic: bool = key(
        False, "on Ascend: operators that give the same bits each time, often slower ones; a CPU needs nothing for that"
    )
    loss_scale: float = key(
        1024.0, "factor on the loss against underflow in float16; the start value with a dynamic one", minimum=1
    )
    is_dynamic_loss_scale: bool = key(
        False, "halve the loss scale and skip the update on overflow, double it after 2000 good steps"
    )
    betas: tuple[float, ...] = key(
        (0.9, 0.999),
        "decay of the mean of the gradients, of that of their squares",
        minimum=0,
        maximum=0.999999,
        only_with=ADAMW,
    )
    epsilon: float = key(1e-8, "added to the root of the mean square of the gradients", minimum=1e-12, only_with=ADAMW)
    global_batch: int = key(
        0,
        "images per update over all ranks, a multiple of batch_size times ranks: sets accumulation_steps; 0: it is taken as it is",
        minimum=0,
    )


@dataclass(frozen=True)
class WeightKeys:
    """Averaged and frozen weights"""

    ema_warmup: bool = key(
        False,
        "let the decay of the averaged weights rise to ema_decay: (1 + t) / (10 + t) at update t, so that the first weights are soon forgotten",
    )
    unfreeze_epoch: int = key(
        0,
        "epochs after which what freeze names is trained too, its batch norms included, with the rate of that time; 0: never",
        minimum=0,
    )
