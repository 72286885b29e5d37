"""AdamW against PyTorch's, whose values after 100 updates stand here."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils.learning import optimizers

# torch 2.13.0, float32: AdamW([{"params": [weight], "weight_decay": 0.05}, {"params": [bias], "weight_decay": 0.0}],
# betas=(0.9, 0.99), eps=1e-6), the weights, the gradients and the rates as below.
WEIGHT = [
    -0.7604242563247681, -1.2254942655563354, -0.1441587507724762, 0.4324202835559845, 1.125258207321167,
    0.24688608944416046, -0.5349912643432617, -0.7466142773628235, 0.7498666644096375, 1.6412795782089233,
    0.2568257749080658, -1.1887552738189697,
]  # fmt: skip
BIAS = [-0.9416154026985168, 1.6677839756011963, 0.2991260290145874]


def test_a_hundred_updates_are_those_of_pytorch() -> None:
    noise = np.random.default_rng(5)
    network = nn.Dense(4, 3, *(Tensor(noise.standard_normal(shape).astype(np.float32)) for shape in [(3, 4), (3,)]))
    rates = np.array([0.01 * (1 - step / 100) for step in range(100)])
    optimizer = optimizers.create(
        "adamw", network, rates, momentum=0.0, weight_decay=0.05, betas=(0.9, 0.99), epsilon=1e-6, no_decay=("bias",)
    )
    for step in range(100):
        gradients = {
            name: Tensor((noise.standard_normal(shape) * 10.0 ** (step % 5 - 3)).astype(np.float32))
            for name, shape in [("weight", (3, 4)), ("bias", (3,))]
        }
        optimizer(tuple(gradients[parameter.name] for parameter in optimizer.parameters))
    np.testing.assert_allclose(network.weight.asnumpy().ravel(), WEIGHT, rtol=0, atol=2e-6)
    np.testing.assert_allclose(network.bias.asnumpy(), BIAS, rtol=0, atol=2e-6)
