"""The update of all parameters at once against MindSpore's, with weight decay of some."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from mindzoo.tests.support.native import images
from mindzoo.utils.learning import optimizers
from mindzoo.utils.native.update import fuse

SHAPES = {"conv.weight": (8, 4, 3, 3), "norm.gamma": (8,), "head.weight": (300, 500), "head.bias": (300,)}


class Weights(nn.Cell):
    """Some parameters and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        for number, (name, shape) in enumerate(SHAPES.items()):
            value = np.random.default_rng(number).standard_normal(shape).astype(np.float32)
            self.insert_param_to_cell(name.replace(".", "_"), Parameter(Tensor(value), name=name))

    def trainable_params(self, recurse: bool = True) -> list[Parameter]:
        return [getattr(self, name.replace(".", "_")) for name in SHAPES]


@pytest.mark.parametrize("factors", [{}, {"conv.weight": 0.5, "head.bias": 0.0}], ids=["one rate", "own rates"])
@pytest.mark.parametrize("kind", ["momentum", "rmsprop", "adamw"])
def test_weights_and_state_are_those_of_the_plain_update(kind: str, factors: dict[str, float]) -> None:
    found = []
    for at_once in (False, True):
        network = Weights()
        rates = np.array([0.1, 0.05, 0.2], np.float32)
        optimizer = optimizers.create(kind, network, rates, momentum=0.9, weight_decay=1e-2, rate_factors=factors)
        if at_once:
            fuse(optimizer)
        order = [parameter.name for parameter in optimizer.parameters]
        for step in range(3):
            gradients = {name: images(*shape) * (step + 1) for name, shape in SHAPES.items()}
            optimizer(tuple(Tensor(gradients[name]) for name in order))
        found.append({parameter.name: parameter.asnumpy().copy() for parameter in optimizer.get_parameters()})
    plain, fused = found
    assert fused.keys() == plain.keys()
    for name, value in plain.items():
        np.testing.assert_allclose(fused[name], value, rtol=2e-5, atol=1e-6, err_msg=name)


def test_an_optimizer_that_has_no_such_update_is_left_as_it_is() -> None:
    optimizer = optimizers.create("nesterov", Weights(), np.ones(2, np.float32), momentum=0.9, weight_decay=0)
    fuse(optimizer)
    assert type(optimizer) is nn.SGD
