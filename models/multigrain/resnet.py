"""The ResNets that a MultiGrain is built on, by the parameter names of the original MindSpore zoo.

Papers: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385;
Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, https://arxiv.org/abs/1709.01507

A bottleneck has its stride in the 3x3 convolution. Two flavours share every parameter name and shape:

    flavour   padding of strided layers               batch norm's epsilon
    "zoo"     bottom and right, where it is uneven    1e-4                    the original MindSpore zoo
    "paper"   all sides alike                         1e-5                    torchvision, timm, MultiGrain's authors

se_resnet50 is the original zoo's: three 3x3 convolutions as its stem, max pooling in place of strides, and
squeeze-and-excitation in the last block of layer3 and of layer4 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal

from mindzoo.models.four_layers import FourLayers
from mindzoo.models.layers import (
    BatchNormReLU,
    BatchNormSumReLU,
    Fork,
    GatedSumReLU,
    MeanOverMap,
    SymmetricMaxPool,
    TruncatedNormal,
)
from mindzoo.models.multigrain.constants import BACKBONES, FLAVOURS, LAYERS

EPSILON = {"zoo": 1e-4, "paper": 1e-5}
EXPANSION = 4  # outputs of a bottleneck for each channel of its 3x3 convolution
SE_REDUCTION = 4


class Bottleneck(nn.Cell):
    """Convolutions 1x1, 3x3, 1x1 beside a shortcut: (B, C, H, W) -> (B, out_channels, H / stride, W / stride).

    Args:
        pooled_stride: the stride is max pooling, behind the 3x3 convolution and in front of the shortcut's.
        excited: what the convolutions give is scaled, channel by channel, by a gate computed from its mean.
        zero_gamma: the last batch norm's gamma begins at 0 instead of 1, so that a new block does nothing.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        flavour: str,
        *,
        pooled_stride: bool,
        excited: bool,
        zero_gamma: bool,
    ) -> None:
        super().__init__()
        conv, norm = partial(_conv, flavour=flavour), partial(_norm, flavour=flavour)
        norm_relu = partial(norm, kind=BatchNormReLU)
        width = out_channels // EXPANSION
        self.pooled_stride, self.excited = pooled_stride and stride > 1, excited
        self.conv1, self.bn1 = conv(in_channels, width), norm_relu(width)
        if self.pooled_stride:
            self.e2 = nn.SequentialCell(conv(width, width, 3), norm_relu(width), _halving())
        else:
            self.conv2, self.bn2 = conv(width, width, 3, stride), norm_relu(width)
        end, gamma = nn.BatchNorm2d if excited else BatchNormSumReLU, "zeros" if zero_gamma else "ones"
        self.conv3, self.bn3 = conv(width, out_channels), norm(out_channels, gamma=gamma, kind=end)
        if excited:
            self.mean = MeanOverMap()
            self.se_dense_0 = _dense(out_channels, out_channels // SE_REDUCTION)
            self.se_dense_1 = _dense(out_channels // SE_REDUCTION, out_channels)
            self.sigmoid, self.end = nn.Sigmoid(), GatedSumReLU()
        self.down_sample_layer: nn.Cell = nn.Identity()
        if in_channels != out_channels:  # in the first block of a layer
            projection = [conv(in_channels, out_channels, 1, 1 if self.pooled_stride else stride), norm(out_channels)]
            self.down_sample_layer = nn.SequentialCell([_halving(), *projection] if self.pooled_stride else projection)
        self.relu, self.fork = nn.ReLU(), Fork()

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        y = self.bn1(self.conv1(x))
        y = self.conv3(self.e2(y) if self.pooled_stride else self.bn2(self.conv2(y)))
        if not self.excited:
            return self.bn3(y, self.down_sample_layer(shortcut))
        y, gathered = self.fork(self.bn3(y))
        gate = self.sigmoid(self.se_dense_1(self.relu(self.se_dense_0(self.mean(gathered)))))
        return self.end(y, gate, self.down_sample_layer(shortcut))


class ResNet(FourLayers):
    """A ResNet without pooling and classifier; see the module's head for backbones and flavours.

    Args:
        backbone: a name in BACKBONES.
        flavour: "zoo" or "paper".
        layers: blocks of layer1 to layer4; empty for the backbone's own.
        base_width: channels after the stem; layer1 to layer4 have 4, 8, 16 and 32 times as many.
        zero_gamma: see Bottleneck.
        in_channels: of the images.

    Raises:
        ValueError: an unknown backbone or flavour, not four layers, or a width that is not positive and, for
            se_resnet50, even.
    """

    def __init__(
        self,
        *,
        backbone: str,
        flavour: str,
        layers: Sequence[int] | None,
        base_width: int,
        zero_gamma: bool,
        in_channels: int,
    ) -> None:
        super().__init__()
        _check_name("backbone", backbone, BACKBONES)
        _check_name("flavour", flavour, FLAVOURS)
        self.backbone, self.flavour, self.se = backbone, flavour, backbone == "se_resnet50"
        layers = layers or LAYERS[backbone]
        _check_sizes(layers, base_width, self.se)
        self.zero_gamma = zero_gamma
        norm_relu = partial(_norm, flavour=flavour, kind=BatchNormReLU)
        if self.se:
            half = base_width // 2
            self.conv1_0, self.bn1_0 = _conv(in_channels, half, 3, 2, flavour=flavour), norm_relu(half)
            self.conv1_1, self.bn1_1 = _conv(half, half, 3, flavour=flavour), norm_relu(half)
            self.conv1_2 = _conv(half, base_width, 3, flavour=flavour)
        else:
            self.conv1 = _conv(in_channels, base_width, 7, 2, flavour=flavour)
        self.bn1 = norm_relu(base_width)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="same") if flavour == "zoo" else SymmetricMaxPool()
        widths = [base_width, *(EXPANSION * base_width * 2**number for number in range(4))]
        self.layer1 = self._layer(layers[0], widths[0], widths[1], 1)
        self.layer2 = self._layer(layers[1], widths[1], widths[2], 2)
        self.layer3 = self._layer(layers[2], widths[2], widths[3], 2, last_excited=self.se)
        self.layer4 = self._layer(layers[3], widths[3], widths[4], 2, last_excited=self.se)
        self.channels, self.map_channels = widths[4], tuple(widths)

    def _layer(
        self, blocks: int, in_channels: int, channels: int, stride: int, *, last_excited: bool = False
    ) -> nn.SequentialCell:
        """Bottlenecks, the first of which has the stride."""
        return nn.SequentialCell(
            [
                Bottleneck(
                    channels if block else in_channels,
                    channels,
                    1 if block else stride,
                    self.flavour,
                    pooled_stride=self.se,
                    excited=last_excited and block == blocks - 1,
                    zero_gamma=self.zero_gamma,
                )
                for block in range(blocks)
            ]
        )

    def stem(self, x: Tensor) -> Tensor:
        """See `FourLayers.stem`."""
        x = self.enter(x)
        if self.se:
            x = self.bn1_0(self.conv1_0(x))
            x = self.conv1_2(self.bn1_1(self.conv1_1(x)))
        else:
            x = self.conv1(x)
        return self.bn1(x)


def _conv(in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, *, flavour: str) -> nn.Conv2d:
    """A convolution without bias, padded as `flavour` says, He-normal over its outputs."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="same" if flavour == "zoo" else "pad",
        padding=0 if flavour == "zoo" else kernel // 2,
        weight_init=HeNormal(mode="fan_out", nonlinearity="relu"),
    )


def _norm(
    channels: int, *, flavour: str, gamma: str = "ones", kind: type[nn.BatchNorm2d] = nn.BatchNorm2d
) -> nn.BatchNorm2d:
    return kind(channels, eps=EPSILON[flavour], gamma_init=gamma)


def _dense(in_channels: int, out_channels: int) -> nn.Dense:
    return nn.Dense(in_channels, out_channels, weight_init=TruncatedNormal(0.01), bias_init="zeros")


def _halving() -> nn.MaxPool2d:
    return nn.MaxPool2d(2, 2, pad_mode="same")


def _check_name(kind: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{kind} is {value!r}; wanted one of {', '.join(known)}")


def _check_sizes(layers: Sequence[int], base_width: int, se: bool) -> None:
    if len(layers) != 4 or min(layers) < 1:
        raise ValueError(f"layers is {tuple(layers)}; wanted the number of blocks of each of the 4 layers")
    if base_width < 1 or (se and base_width % 2):
        raise ValueError(f"base_width is {base_width}; wanted {'an even' if se else 'a positive'} number")
