"""A rate that falls on a plateau, against PyTorch's."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.plateau import Plateau
from mindzoo.utils.learning.train_step import TrainStep

ACCURACIES = [0.1, 0.3, 0.3, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.5, 0.4, 0.5, 0.5]
# torch 2.13.0: the rates after each of them of ReduceLROnPlateau(SGD with lr=0.8, mode="max", factor=0.1, patience=1,
# threshold=0.0, min_lr=0.002), which counts one evaluation more.
RATES = [0.8, 0.8, 0.8, 0.08, 0.08, 0.08, 0.008, 0.008, 0.002, 0.002, 0.002, 0.002, 0.002]


def test_rates_fall_as_those_of_pytorch() -> None:
    plateau = Plateau(factor=0.1, patience=2, lowest=0.002 / 0.8)
    found, fell = [], []
    for accuracy in ACCURACIES:
        fell.append(plateau.note(accuracy))
        found.append(0.8 * plateau.now)
    np.testing.assert_allclose(found, RATES, rtol=1e-6)
    assert [number for number, falls in enumerate(fell) if falls] == [3, 6, 8]


def test_what_is_better_by_too_little_is_not_better() -> None:
    plateau = Plateau(factor=0.5, patience=1, min_delta=0.1)
    assert [plateau.note(accuracy) for accuracy in (0.5, 0.55, 0.7, 0.7)] == [False, True, False, True]


class MeanOfLogits(nn.Cell):
    """A loss whose gradient is the same at every step."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return logits.mean()


def test_an_update_of_accumulated_gradients_takes_the_share_without_compiling_again() -> None:
    network, plateau = nn.Dense(3, 2, has_bias=False), Plateau(factor=0.25, patience=1)
    optimizer = optimizers.create("momentum", network, np.full(3, 0.1), momentum=0.0, weight_decay=0.0, plateau=plateau)
    step = TrainStep(network, MeanOfLogits(), optimizer, accumulation_steps=2)
    state = {parameter.name for parameter in step.get_parameters()}
    assert state >= {"learning_rate", "plateau.share", "plateau.waited", "plateau.to_beat"}
    images, labels = Tensor(np.ones((4, 3), np.float32)), Tensor(np.zeros(4, np.int32))
    gone = []
    for accuracy in (0.5, 0.5, 0.5):
        before = network.weight.asnumpy().copy()
        step(images, labels)
        np.testing.assert_array_equal(network.weight.asnumpy(), before)
        step(images, labels)
        gone.append(float((before - network.weight.asnumpy()).max()))
        plateau.note(accuracy)
    np.testing.assert_allclose(gone, [0.05, 0.05, 0.0125], rtol=1e-4)
    assert len(step.compile_cache) == 1
