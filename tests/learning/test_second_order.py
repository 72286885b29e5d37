"""The factors of layers at their smallest; a whole training with them is in test_thor.py."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint, nn, ops

from mindzoo.utils import compat
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


@pytest.mark.parametrize(
    ("device", "soc", "by_kernel"),
    [
        ("CPU", "", False),
        ("Ascend", "", False),
        ("Ascend", "ascend910", False),
        ("Ascend", "ascend910b", True),
        ("Ascend", "ascend910_93", True),
    ],
)
def test_the_inverse_is_an_operator_that_the_card_has(
    device: str, soc: str, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ms, "get_context", {"device_target": device}.__getitem__)
    monkeypatch.setattr(compat, "soc_version", lambda: soc)
    inverse = second_order.inverter()
    assert inverse is mint.linalg.inv if by_kernel else isinstance(inverse, ops.MatrixInverse)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "same", "padding"),
    [
        ((3, 3), (1, 1), (1, 1), True, (0, 0, 0, 0)),
        ((7, 7), (2, 2), (1, 1), False, (3, 3, 3, 3)),
        ((3, 2), (2, 1), (2, 3), False, (1, 0, 2, 1)),
        ((2, 3), (3, 2), (1, 2), True, (0, 0, 0, 0)),
    ],
)
def test_patches_are_what_a_convolution_multiplies_its_weights_with(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], same: bool, padding: tuple[int, ...]
) -> None:
    random = np.random.default_rng(2)
    convolution = nn.Conv2d(
        4, 3, kernel, stride, "same" if same else "pad", 0 if same else padding, dilation,
        weight_init=Tensor(random.standard_normal((3, 4, *kernel)).astype(np.float32)), has_bias=False,
    )  # fmt: skip
    x = Tensor(random.standard_normal((2, 4, 13, 11)).astype(np.float32))
    patches = second_order.Patches(kernel, stride, dilation, same, padding)(x).asnumpy()
    wanted = convolution(x).asnumpy()
    found = convolution.weight.asnumpy().reshape(3, -1) @ patches
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=0, atol=1e-4)
