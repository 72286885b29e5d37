"""An overflow on purpose: it must be seen, its step skipped, the loss scale halved, and the next good step taken."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import runtime
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.train_step import SCALE_FACTOR, TrainStep
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight
from mindzoo.utils.training import on_card, setup

CLASSES, INPUTS, BATCH, SCALE = 4, 16, 8, 1024.0
# Float16 holds these images and their logits, but not the gradients of the scaled loss: its largest number is 65,504.
HUGE = 1e3


class Flat(nn.Cell):
    """(B, 16) -> (B, 4) logits."""

    def __init__(self) -> None:
        super().__init__()
        weight = np.random.RandomState(1).standard_normal((CLASSES, INPUTS)).astype(np.float32)
        self.fc = nn.Dense(INPUTS, CLASSES, weight_init=Tensor(weight), bias_init="zeros")

    def construct(self, x: Tensor) -> Tensor:
        return self.fc(x)


def drill(job: Job) -> Found:
    """A good batch, one that overflows in float16, and a good one again.

    Raises:
        NotRight: the step did something else than it should.
    """
    runtime.start(job.device)
    card = on_card.find(job.device)
    step = build(job.device)
    good, huge = (Tensor(_draw() * factor, ms.float32) for factor in (1.0, HUGE))
    labels = Tensor(np.arange(BATCH) % CLASSES, ms.int32)
    scales, moved = [SCALE], []
    for images in (good, huge, good):
        before = weight_of(step)
        step(images, labels).asnumpy()
        moved.append(not np.array_equal(weight_of(step), before))
        scales.append(float(step.scale.asnumpy()))
    numbers = {"loss_scales": scales, "weights_changed": moved, "registers": step.watched, "card": str(card)}
    wanted = [SCALE, SCALE, SCALE / SCALE_FACTOR, SCALE / SCALE_FACTOR]
    if scales != wanted or moved != [True, False, True]:
        raise NotRight(
            f"loss scale {' '.join(f'{s:g}' for s in scales)}, wanted {' '.join(f'{s:g}' for s in wanted)}; weights changed "
            f"{moved}, wanted only by the good batches"
        )
    by = "the card's registers" if step.watched else "a finite test"
    return f"seen by {by}: step skipped, loss scale {SCALE:g} to {scales[2]:g}, and the next step taken", numbers


def build(device: str) -> TrainStep:
    """A training step in float16 with a dynamic loss scale, as `train` builds it."""
    config = TrainConfig(is_dynamic_loss_scale=True, loss_scale=SCALE, max_epoch=1, momentum=0.0, weight_decay=0.0)
    registers = on_card.registers(config, device, on_card.find(device), second_order=False)
    loss = SmoothedCrossEntropy(CLASSES)
    return setup.build_step(config, Flat(), loss, np.full(3, 0.1, np.float32), "O3", setup.ALONE, registers)


def weight_of(step: TrainStep) -> np.ndarray:
    """A copy of the weights."""
    return np.array(step.trained[0].asnumpy())


def _draw() -> np.ndarray:
    return np.random.RandomState(2).uniform(0.5, 1.0, (BATCH, INPUTS))
