"""Batch norm over all ranks; with one rank it is MindSpore's own. Two ranks: tests/test_data_parallel.py."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models.layers import BatchNormReLU
from mindzoo.utils.learning.sync_batch_norm import synchronise


class Weighed(nn.Cell):
    """The sum of what a batch norm gives, times fixed weights."""

    def __init__(self, norm: nn.Cell, weights: Tensor) -> None:
        super().__init__()
        self.norm, self.weights = norm, weights

    def construct(self, x: Tensor) -> Tensor:
        return (self.norm(x) * self.weights).sum()


def batch(*shape: int) -> Tensor:
    return Tensor((3 + 2 * np.random.default_rng(1).standard_normal(shape)).astype(np.float32))


def values(network: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


@pytest.mark.parametrize(("kind", "shape"), [(nn.BatchNorm2d, (6, 4, 5, 3)), (nn.BatchNorm1d, (12, 4))])
def test_one_rank_computes_as_mindspore_does(kind: type[nn.Cell], shape: tuple[int, ...]) -> None:
    found, results = batch(*shape), []
    weights = Tensor(np.random.default_rng(2).standard_normal(shape).astype(np.float32))
    for synced in (False, True):
        norm = kind(4, eps=1e-3, momentum=0.8, gamma_init=Tensor([1.0, 2.0, 0.5, 0.1], ms.float32), beta_init="ones")
        network = Weighed(norm, weights)
        assert not synced or synchronise(network, 1) == 1
        network.set_train()
        value, gradients = ms.value_and_grad(network, 0, list(network.trainable_params()))(found)
        network.set_train(False)
        results.append([value, gradients[0], *gradients[1], norm(found), *values(network).values()])
    for wanted, got in zip(*results, strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=1e-4, atol=1e-4)


def test_names_stay_and_frozen_ones_are_left_alone() -> None:
    network = nn.SequentialCell(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4, use_batch_statistics=False))
    before = list(values(network))
    assert synchronise(network, 1) == 1
    assert synchronise(network, 1) == 0
    assert list(values(network)) == before
    assert type(network[2]) is nn.BatchNorm2d


def test_what_follows_a_batch_norm_follows_the_synchronised_one() -> None:
    found, results = batch(6, 4, 5, 3), []
    for synced in (False, True):
        network = nn.SequentialCell(BatchNormReLU(4, momentum=0.8))
        assert not synced or (synchronise(network, 1), synchronise(network, 1)) == (1, 0)
        trained = network.set_train()(found).asnumpy()
        results.append((trained, network.set_train(False)(found).asnumpy(), values(network)))
    plain, synchronised = results
    for wanted, got in zip(plain[:2], synchronised[:2], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    for name, value in plain[2].items():
        np.testing.assert_allclose(synchronised[2][name], value, rtol=1e-5)
