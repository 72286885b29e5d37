"""DenseNet-BC: every layer sees the features of all layers before it.

Paper: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, https://arxiv.org/abs/1608.06993
Input: (B, 3, H, W) float32, normalised, H and W at least 32.  Output: (B, num_classes) float32 logits.

Two flavours share every parameter name and shape and differ in how they pool, so weights of one load into the
other without complaint and give other logits:

    flavour   pool0 (3x3, stride 2)          transitions (2x2, stride 2)
    "zoo"     max, padded bottom and right   max        the original MindSpore zoo
    "paper"   max, padded on all sides       average    the paper, torchvision, timm
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal, HeUniform

from mindzoo.models.densenet121.constants import FLAVOURS
from mindzoo.models.layers import (
    BatchNormReLU,
    Concat,
    FromLayout,
    SymmetricMaxPool,
    ToLayout,
    classifier,
    dropout,
    mean_over_map,
)


class DenseLayer(nn.Cell):
    """BN-ReLU-conv1x1, BN-ReLU-conv3x3: (B, C, H, W) -> (B, C + growth_rate, H, W)."""

    def __init__(self, in_channels: int, growth_rate: int, bottleneck: int) -> None:
        super().__init__()
        width = bottleneck * growth_rate
        self.norm1 = BatchNormReLU(in_channels)
        self.conv1 = _conv(in_channels, width, 1)
        self.norm2 = BatchNormReLU(width)
        self.conv2 = _conv(width, growth_rate, 3)
        self.concat = Concat()

    def construct(self, x: Tensor) -> Tensor:
        new = self.conv1(self.norm1(x))
        return self.concat(x, self.conv2(self.norm2(new)))


class DenseBlock(nn.Cell):
    """`layers` dense layers in a row; channels grow by `growth_rate` with each."""

    native = "DenseBlock"

    def __init__(self, layers: int, in_channels: int, growth_rate: int, bottleneck: int) -> None:
        super().__init__()
        self.cell_list = nn.CellList(
            [DenseLayer(in_channels + i * growth_rate, growth_rate, bottleneck) for i in range(layers)]
        )

    def construct(self, x: Tensor) -> Tensor:
        for layer in self.cell_list:
            x = layer(x)
        return x


class Transition(nn.Cell):
    """BN-ReLU-conv1x1-pool: halves height and width, and the channels as `out_channels` says."""

    def __init__(self, in_channels: int, out_channels: int, flavour: str) -> None:
        super().__init__()
        pool = nn.MaxPool2d(2, 2) if flavour == "zoo" else nn.AvgPool2d(2, 2)
        self.features = nn.SequentialCell(
            OrderedDict(
                norm=BatchNormReLU(in_channels),
                conv=_conv(in_channels, out_channels, 1),
                pool=pool,
            )
        )

    def construct(self, x: Tensor) -> Tensor:
        return self.features(x)


class Backbone(nn.Cell):
    """Stem, dense blocks with a transition between each two, and the last batch norm and ReLU."""

    def __init__(
        self,
        growth_rate: int,
        block_config: Sequence[int],
        init_features: int,
        bottleneck: int,
        flavour: str,
        in_channels: int,
    ) -> None:
        super().__init__()
        cells: OrderedDict[str, nn.Cell] = OrderedDict(
            conv0=_conv(in_channels, init_features, 7, stride=2),
            norm0=BatchNormReLU(init_features),
            pool0=nn.MaxPool2d(3, 2, pad_mode="same") if flavour == "zoo" else SymmetricMaxPool(),
        )
        channels, shown = init_features, {"norm0": init_features}
        for number, layers in enumerate(block_config, 1):
            cells[f"denseblock{number}"] = DenseBlock(layers, channels, growth_rate, bottleneck)
            channels += layers * growth_rate
            if number < len(block_config):
                shown[f"denseblock{number}"] = channels
                cells[f"transition{number}"] = Transition(channels, channels // 2, flavour)
                channels //= 2
        cells["norm5"] = BatchNormReLU(channels)
        shown["norm5"] = channels
        self.features = nn.SequentialCell(cells)
        self.channels, self.map_channels = channels, tuple(shown.values())
        self.shown = tuple(name in shown for name in cells)  # the cells behind which there is a map to give
        self.enter, self.leave = ToLayout(), FromLayout()

    def construct(self, x: Tensor) -> Tensor:
        return self.leave(self.features(self.enter(x)))

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """See `DenseNet.maps`."""
        x = self.enter(x)
        found: tuple[Tensor, ...] = ()
        for number, cell in enumerate(self.features.cell_list):
            x = cell(x)
            if self.shown[number]:
                found = (*found, self.leave(x))
        return found


class Head(nn.Cell):
    """The classifier, and dropout in front of it: (B, C) -> (B, num_classes)."""

    def __init__(self, channels: int, num_classes: int, drop_rate: float) -> None:
        super().__init__()
        self.dropout = dropout(drop_rate)
        self.fc = classifier(channels, num_classes, HeUniform(5**0.5))

    def construct(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(x))


class DenseNet(nn.Cell):
    """DenseNet-BC for classification; see the module's head for shapes and flavours.

    Args:
        num_classes: outputs of the classifier; 0 for none, so that the network gives what a classifier would see.
        in_channels: of the images.
        drop_rate: the share of the classifier's inputs that is 0 in training.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        init_features: int = 64,
        bottleneck: int = 4,
        flavour: str = "zoo",
        in_channels: int = 3,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour is {flavour!r}; wanted one of {', '.join(FLAVOURS)}")
        self.flavour = flavour
        self.backbone = Backbone(growth_rate, block_config, init_features, bottleneck, flavour, in_channels)
        self.head = Head(self.backbone.channels, num_classes, drop_rate)
        self.map_channels = self.backbone.map_channels

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H/32, W/32): the last feature map, after the ReLU."""
        return self.backbone(x)

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> the maps of the strides 2, 4, 8, ...: behind the stem, each dense block, and the last ReLU."""
        return self.backbone.maps(x)

    def embed(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C) float32: the mean over the last feature map, what the classifier sees."""
        return mean_over_map(self.features(x))

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes) float32: the logits of `features`."""
        return self.head(mean_over_map(features))

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def densenet121(num_classes: int = 1000, **options: object) -> DenseNet:
    """DenseNet-121: 7,978,856 trainable parameters with 1000 classes. Options: those of :class:`DenseNet`."""
    return DenseNet(num_classes, **options)  # type: ignore[arg-type]


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, padded alike on all sides, He-normal over its outputs."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="pad",
        padding=kernel // 2,
        weight_init=HeNormal(mode="fan_out", nonlinearity="relu"),
    )
