"""Dropout that a run can go on with."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.keys import Keys
from mindzoo.tests.support.networks import eagerly, undrawn
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils.checkpoints.checkpoint_file import is_state
from mindzoo.utils.learning.dropout import SeededDropout, seeded
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup
from mindzoo.utils.training.starting_point import StartingPoint

ONES = Tensor(np.ones((50, 40), np.float32))


def dropout(rate: float, seed: int = 7, rank: int = 0) -> nn.Cell:
    network = nn.Dropout(p=rate)
    seeded(network, seed, rank)
    return network.set_train()


def drawn(network: nn.Cell, times: int = 1) -> list[np.ndarray]:
    return [network(ONES).asnumpy() for _ in range(times)]


@eagerly()
def test_zeros_and_what_is_left() -> None:
    network = dropout(0.25)
    first, second = drawn(network, 2)
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((first == 0).mean() - 0.25) < 0.04  # four deviations of 2000 draws
    assert abs(((first == 0) != (second == 0)).mean() - 0.375) < 0.05
    np.testing.assert_array_equal(drawn(network.set_train(False))[0], ONES.asnumpy())


@eagerly()
def test_the_zeros_are_a_function_of_seed_rank_and_batches_seen() -> None:
    masks = drawn(dropout(0.5), 3)
    again = dropout(0.5)
    again.uniform.draws.set_data(Tensor(2, ms.int32))  # as a checkpoint gives it
    np.testing.assert_array_equal(drawn(again)[0], masks[2])
    for other in (dropout(0.5, seed=8), dropout(0.5, rank=1)):
        assert not np.array_equal(drawn(other)[0], masks[0])


@eagerly()
def test_those_inside_a_network_draw_each_for_itself() -> None:
    network = nn.SequentialCell([nn.Identity(), nn.Dropout(p=0.5), nn.Dropout(p=0.25), nn.Dropout(p=0.0)])
    seeded(network, 1, 0)
    names = [p.name for p in network.get_parameters()]
    assert names == ["dropout_draws.0", "dropout_draws.1"]
    assert all(is_state(name) for name in names)  # so that no network is asked for it
    assert network.trainable_params() == []
    assert abs((network.set_train()(ONES).asnumpy() == 0).mean() - 0.625) < 0.05
    assert [int(p.value()) for p in network.get_parameters()] == [1, 1]


def test_the_step_of_a_training_holds_its_state_and_averages_none_of_it() -> None:
    config = Keys("densenet121").parsed(*tiny("densenet121"), "--drop_rate", "0.3", "--ema_decay", "0.9").config
    with undrawn():
        network, _ = setup.make_network(SPEC, config, StartingPoint(SPEC.network_options(config)), 3, World())
    loss = setup.build_loss(config, 3, np.arange(3))
    names = [p.name for p in setup.build_step(config, network, loss, np.full(4, 0.5), "O0", World()).get_parameters()]
    assert [name for name in names if "draws" in name] == ["dropout_draws.0"]
    assert f"ema.{SPEC.classifier}.weight" in names
    (found,) = [cell for _, cell in network.cells_and_names() if isinstance(cell, SeededDropout)]
    assert found.stays == 0.7
