"""What a step does with its batch: counted, drawn again after a resume, in the compiled step as outside of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.tests.support.networks import eagerly
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.augmentation import COUNTER, BatchAugmentation
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.mixing import LossOfMixed
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup

STEPS = 8
ALL: dict[str, Any] = {"mixup": 0.4, "cutmix": 1.0, "random_erasing": 0.5}


def made(rank: int = 0, **values: Any) -> BatchAugmentation | None:
    config = TrainConfig(image_size=(8, 8), max_epoch=4, **{**ALL, **values})
    return setup.batch_augmentation(config, STEPS, World(rank, 2))


def batch(step: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(step)
    images = random.normal(0, 1, (6, 3, 8, 8)).astype(np.float32)
    return Tensor(images), Tensor(random.integers(0, 3, 6).astype(np.int32))


def test_nothing_asked_for_is_nothing_done() -> None:
    assert made(mixup=0.0, cutmix=0.0, random_erasing=0.0) is None
    assert made(mixup_prob=0.0, random_erasing=0.0) is None


def test_ranks_and_steps_draw_others() -> None:
    first, second = made(random_erasing=0.0), made(rank=1, random_erasing=0.0)
    assert first
    assert second
    images, labels = batch(0)
    assert [parameter.name for parameter in first.get_parameters()] == [COUNTER]
    with eagerly():
        found = [changes(images, labels)[0].asnumpy() for changes in (first, first, second)]
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    erasing = [made(rank=rank, mixup=0.0, cutmix=0.0) for rank in (0, 0, 1)]
    seeds = [int(one.erasing.numbers.start) for one in erasing if one]
    assert seeds[0] == seeds[1] != seeds[2]


def test_mixing_ends_with_its_epoch_and_erasing_goes_on() -> None:
    """Two steps are an epoch."""
    changes = made(mixup=100.0, cutmix=0.0, mixup_off_epoch=3, random_erasing=0.0)
    assert changes
    with eagerly():
        changes.start_at(5)
        shares = [float(changes(*batch(step))[1][2]) for step in (5, 6)]
    assert shares[0] < 1 == shares[1]


def step_of(changes: BatchAugmentation) -> TrainStep:
    network = nn.SequentialCell(
        OrderedDict(flat=nn.Flatten(), last=nn.Dense(192, 3, weight_init="zeros", has_bias=False))
    )
    optimizer = optimizers.create("momentum", network, np.full(STEPS, 0.1), momentum=0.9, weight_decay=0.0)
    loss = LossOfMixed(SmoothedCrossEntropy(3))
    step = TrainStep(network, loss, optimizer, augmentation=changes)
    step.set_train(True)
    return step


def test_a_compiled_step_learns_from_what_is_mixed_and_goes_on_to_the_bit() -> None:
    """The gradient of zero weights is that of softmax 1/3 against the mixed targets, by hand."""
    changes, again = made(), made()
    assert changes
    assert again
    step = step_of(changes)
    images, labels = batch(0)
    with eagerly():
        seen, (own, partners, share) = again(images, labels)
    kinds = np.eye(3)
    targets = float(share) * kinds[own.asnumpy()] + (1 - float(share)) * kinds[partners.asnumpy()]
    losses = [float(step(images, labels))]
    wanted = -0.1 * (1 / 3 - targets).T @ seen.asnumpy().reshape(6, -1) / 6
    weight = {parameter.name: parameter for parameter in step.get_parameters()}["last.weight"]
    np.testing.assert_allclose(weight.asnumpy(), wanted, atol=1e-6)
    assert losses[0] == pytest.approx(np.log(3), rel=1e-5)
    kept = {}
    for number in range(1, STEPS):
        if number == 4:
            kept = {parameter.name: parameter.asnumpy().copy() for parameter in step.get_parameters()}
        losses.append(float(step(*batch(number))))
    for parameter in step.get_parameters():
        parameter.set_data(Tensor(kept[parameter.name]))
    step.augmentation.start_at(4)
    assert [float(step(*batch(number))) for number in range(4, STEPS)] == losses[4:]
    assert len(step.compile_cache) == 1
