"""The native layers against MindSpore's own: same outputs, gradients and moving statistics."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindzoo.models.hrnet_w48.network import Upsample
from mindzoo.models.layers import (
    BatchNormReLU,
    BatchNormSumReLU,
    Fork,
    FromLayout,
    GatedSumReLU,
    MeanOverMap,
    SymmetricMaxPool,
    ToLayout,
)
from mindzoo.tests.support.native import assert_alike, images, passed, randomise
from mindzoo.utils.native.building import UnavailableError
from mindzoo.utils.native.channels_last import convert
from mindzoo.utils.runtime import eagerly


class Framed(nn.Cell):
    """A layer between the two turns of the axes."""

    def __init__(self, layer: nn.Cell) -> None:
        super().__init__()
        self.enter, self.layer, self.leave = ToLayout(), layer, FromLayout()

    def construct(self, x: Tensor) -> Tensor:
        return self.leave(self.layer(self.enter(x)))


class WithShortcut(nn.Cell):
    """The end of a residual block, both of whose ways begin at one map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fork, self.norm = Fork(), BatchNormSumReLU(channels)

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        return self.norm(x, shortcut)


class WithGate(nn.Cell):
    """The end of a block whose gate is made of its own map; a flat gate is (B, C), another one (B, C, 1, 1)."""

    def __init__(self, channels: int, size: tuple[int, int], *, flat: bool) -> None:
        super().__init__()
        self.fork, self.end, self.norm = Fork(), GatedSumReLU(), nn.BatchNorm2d(channels)
        whole_map = convolution(channels, channels, size, pad_mode="valid", group=channels)
        self.gather = MeanOverMap() if flat else whole_map

    def construct(self, x: Tensor) -> Tensor:
        x, gathered = self.fork(x)
        return self.end(x, ops.sigmoid(self.gather(gathered)), self.norm(x))


def convolution(inputs: int, outputs: int, kernel: object, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, **options)


LAYERS = {
    "3x3 padded": (lambda: convolution(6, 10, 3, pad_mode="pad", padding=1), (2, 6, 9, 7)),
    "stride 2, padded to H / 2": (lambda: convolution(6, 10, 3, stride=2, pad_mode="same"), (2, 6, 9, 8)),
    "7x7 of an even side": (lambda: convolution(3, 16, 7, stride=2, pad_mode="same"), (2, 3, 12, 10)),
    "1x1 with stride and bias": (lambda: convolution(8, 5, 1, stride=2, has_bias=True), (3, 8, 7, 6)),
    "unlike sides": (lambda: convolution(4, 6, (3, 5), pad_mode="pad", padding=(1, 2, 3, 0)), (2, 4, 8, 9)),
    "dilated": (lambda: convolution(4, 6, 3, pad_mode="pad", padding=2, dilation=2), (2, 4, 9, 9)),
    "groups with bias": (
        lambda: convolution(8, 12, 3, pad_mode="pad", padding=1, group=4, has_bias=True),
        (2, 8, 6, 6),
    ),
    "depthwise over the whole map": (lambda: convolution(8, 8, (6, 5), pad_mode="valid", group=8), (2, 8, 6, 5)),
    "depthwise, 35 whole maps": (lambda: convolution(35, 35, (6, 5), pad_mode="valid", group=35), (3, 35, 6, 5)),
    "depthwise as large as the map, padded": (
        lambda: convolution(8, 8, 3, stride=3, pad_mode="same", group=8),
        (2, 8, 3, 3),
    ),
    "depthwise over the whole map with bias": (
        lambda: convolution(8, 8, (6, 5), pad_mode="valid", group=8, has_bias=True),
        (2, 8, 6, 5),
    ),
    "batch norm": (lambda: nn.BatchNorm2d(6, eps=1e-4, momentum=0.8), (3, 6, 5, 4)),
    "batch norm and ReLU": (lambda: BatchNormReLU(6), (3, 6, 5, 4)),
    "batch norm of many rows": (lambda: BatchNormReLU(3), (4, 3, 80, 80)),
    "batch norm, sum and ReLU": (lambda: WithShortcut(6), (3, 6, 5, 4)),
    "gate, sum and ReLU": (lambda: WithGate(6, (5, 4), flat=False), (3, 6, 5, 4)),
    "flat gate": (lambda: WithGate(6, (5, 4), flat=True), (3, 6, 5, 4)),
    "gate of one channel, one image": (lambda: WithGate(1, (5, 4), flat=False), (1, 1, 5, 4)),
    "gate of 17 channels": (lambda: WithGate(17, (7, 3), flat=False), (2, 17, 7, 3)),
    "gate of maps of one pixel": (lambda: WithGate(17, (1, 1), flat=True), (4, 17, 1, 1)),
    "gate of large maps": (lambda: WithGate(8, (70, 65), flat=False), (2, 8, 70, 65)),
    "mean over large maps": (lambda: MeanOverMap(keep_dims=True), (2, 8, 70, 65)),
    "mean of one channel and one pixel": (lambda: MeanOverMap(keep_dims=True), (1, 1, 1, 1)),
    "batch norm that keeps its statistics": (lambda: nn.BatchNorm2d(6, use_batch_statistics=False), (3, 6, 5, 4)),
    "max pooling padded to H / 2": (lambda: nn.MaxPool2d(3, 2, pad_mode="same"), (2, 5, 9, 8)),
    "max pooling": (lambda: nn.MaxPool2d(2, 2), (2, 5, 9, 8)),
    "max pooling padded on all sides": (lambda: nn.SequentialCell(nn.ReLU(), SymmetricMaxPool()), (2, 5, 8, 7)),
    "mean pooling padded to H / 2": (lambda: nn.AvgPool2d(2, 2, pad_mode="same"), (2, 5, 7, 6)),
    "nearest neighbour": (lambda: Upsample(4), (2, 5, 3, 2)),
}


# Only a batch norm computes otherwise in an evaluation.
MODES = [(name, True) for name in LAYERS] + [(name, False) for name in LAYERS if "norm" in name]


@pytest.mark.parametrize(("name", "training"), MODES)
def test_a_layer_gives_what_mindspore_gives(name: str, training: bool) -> None:
    make, shape = LAYERS[name]
    networks = [Framed(make()).set_train(training) for _ in range(2)]
    for network in networks:
        randomise(network)
    convert(networks[1])
    x = 2 + 3 * images(*shape)
    with eagerly():
        wanted = passed(networks[0], x)
    assert_alike(passed(networks[1], x, shape=wanted.outputs.shape), wanted)


def test_statistics_of_values_far_from_zero_lose_no_digits() -> None:
    """The difference of the mean square and the squared mean would."""
    x = 1000 + images(2, 4, 40, 40)
    network = Framed(nn.BatchNorm2d(4, momentum=0.0, affine=False))
    convert(network)
    network.set_train()(Tensor(x))
    wanted = x.astype(np.float64).var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(network.layer.moving_variance.asnumpy(), wanted, rtol=1e-5)


def test_a_network_that_was_not_written_for_it_is_left_as_it_is() -> None:
    network = nn.SequentialCell(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(UnavailableError, match="no form for channels last"):
        convert(network)
    assert type(network[0]) is nn.Conv2d
    with pytest.raises(UnavailableError, match="Conv2dTranspose has no form"):
        convert(Framed(nn.Conv2dTranspose(3, 4, 3)))
