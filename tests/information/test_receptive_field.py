"""Receptive fields, against those of Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks"."""

from __future__ import annotations

from typing import Any

import pytest
from mindspore import Tensor, nn, ops

from mindzoo.models import get_spec
from mindzoo.models.layers import MeanOverMap, SymmetricMaxPool
from mindzoo.utils.information.dry_run import undrawn
from mindzoo.utils.information.receptive_field import ReceptiveField, receptive_field


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, pad_mode="same", dilation=dilation)


class Residual(nn.Cell):
    """A 3x3 convolution beside a shortcut."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv, self.shortcut = conv(3, stride), conv(1, stride)

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(self.conv(x) + self.shortcut(x))


def chain(*cells: nn.Cell) -> nn.SequentialCell:
    return nn.SequentialCell([nn.Conv2d(3, 1, 1), *cells, nn.BatchNorm2d(1)])


def vgg_16() -> nn.SequentialCell:
    blocks = [[conv(3) for _ in range(convs)] + [nn.MaxPool2d(2, 2)] for convs in (2, 2, 3, 3, 3)]
    return chain(*(cell for block in blocks for cell in block))


def resnet_v1(*units: int) -> nn.SequentialCell:
    """As in TF-Slim: the stride of a block is that of its last unit, and the last block has none."""
    cells = [conv(7, 2), SymmetricMaxPool()]
    for block, count in enumerate(units):
        cells += [Residual(2 if unit == count - 1 and block < len(units) - 1 else 1) for unit in range(count)]
    return chain(*cells)


# https://github.com/google-research/receptive_field, README.md: receptive field and effective stride.
@pytest.mark.parametrize(
    ("network", "pixels"),
    [(vgg_16(), 212), (resnet_v1(3, 4, 6, 3), 483)],
    ids=["vgg_16", "resnet_v1_50"],
)
def test_fields_are_those_that_were_published(network: nn.SequentialCell, pixels: int) -> None:
    last = str(len(network) - 1)
    assert receptive_field(lambda _: network, last, 32) == ReceptiveField(pixels, 32)


# By hand, by the formula of section 2 of that article. A 3x3 layer adds twice the stride in front of it, and with the stride
# in its 3x3 layer a block adds less than in TF-Slim: 11 + 2 * (3*4 + 4 + 3*8 + 8 + 5*16 + 16 + 2*32).
# The dense network: 11 + 2 * (6*4 + 12*8), and 4 for pooling 2x2 between its blocks; with all four blocks it has 2071.
@pytest.mark.parametrize(
    ("name", "options", "last", "pixels", "stride"),
    [
        ("multigrain", {"base_width": 4}, "layer4.2.bn3", 427, 32),
        (
            "densenet121",
            {"growth_rate": 1, "init_features": 2, "block_config": (6, 12)},
            "backbone.features.norm5",
            255,
            8,
        ),
    ],
)
def test_fields_of_networks(name: str, options: dict[str, Any], last: str, pixels: int, stride: int) -> None:
    with undrawn():
        network = get_spec(name).make(2, options)
    assert receptive_field(lambda _: network, last, 32) == ReceptiveField(pixels, stride)


def test_kernels_that_are_even_dilated_or_not_square() -> None:
    network = chain(conv(4, 2), conv(3, 1, 3), nn.Conv2d(1, 1, (7, 1), pad_mode="valid"))
    # 4, then 2 * 3 * 2 more; the height of a kernel says nothing of the width.
    assert receptive_field(lambda _: network, "4", 32) == ReceptiveField(16, 2)


class Gathered(nn.Cell):
    """A convolution, whose map is added to what was gathered from all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mean, self.norm = nn.Conv2d(3, 1, 5), MeanOverMap(keep_dims=True), nn.BatchNorm2d(1)

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.norm(x + self.mean(x))


def test_what_sees_the_whole_map_is_left_out_where_it_is_named() -> None:
    assert receptive_field(lambda _: Gathered(), "norm", 32, ["mean"]) == ReceptiveField(5, 1)


def test_a_field_that_fits_no_image_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mindzoo.utils.information.receptive_field.WIDTHS", (64, 128))
    assert receptive_field(lambda _: Gathered(), "norm", 32) is None
