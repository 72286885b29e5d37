"""The factors of layers at their smallest; a whole training with them is in test_thor.py."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils.learning import second_order


def test_a_layer_with_one_output_has_a_matrix_that_can_be_inverted() -> None:
    """As the classifier of a single folder of images, of which only the copies are told apart."""
    dense = nn.Dense(3, 1)
    (layer,) = second_order.record(dense, dense.trainable_params(), block_size=128)
    assert (layer.g_inverse.shape, layer.a_inverse.shape) == ((1, 2, 2), (1, 3, 3))
    rows = np.array([[[3.0, 1.0]]], np.float32)  # of one image and two positions
    factor = second_order.factor(Tensor(rows), layer.g_inverse.shape)
    inverse = second_order.inverter()(factor + 0.25 * ops.Eye()(2, 2, ms.float32))
    gradient = np.array([[1.0, 2.0, 4.0]], np.float32)
    found = second_order.between(inverse, Tensor(gradient), Tensor(np.eye(3, dtype=np.float32)[None]))
    np.testing.assert_allclose(found.asnumpy(), gradient / ((rows**2).sum() / 2**0.5 + 0.25), rtol=1e-5)
