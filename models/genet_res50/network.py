"""Gather-Excite ResNet-50: each block gathers its feature map over a wide extent and excites it with what it found.

Paper: Hu et al., "Gather-Excite: Exploiting Feature Context in Convolutional Neural Networks", NeurIPS 2018,
https://arxiv.org/abs/1810.12348
Input: (B, 3, H, W) float32, normalised.  Output: (B, num_classes) float32 logits.

Variants; all gather over the whole map ("global extent"):

    variant       extra   mlp     gather             excite
    GE-theta+     True    True    learnt             two 1x1 convolutions, sigmoid
    GE-theta      True    False   learnt             sigmoid
    GE-theta-     False   False   mean               sigmoid
    mean and MLP  False   True    mean               two 1x1 convolutions, sigmoid: squeeze and excitation

`gather` says how the learnt gather and the MLP are built:

    gather    layer1                             layer2..4   after the batch norm      MLP
    "zoo"     dense 3x3 of stride 2, batch       depthwise   -                         without bias
              norm, then depthwise over H/8
    "paper"   depthwise over H/4                 depthwise   ReLU where an MLP follows with bias

A depthwise gather's kernel covers its whole map, so a network with a learnt gather takes images of one size only.

Everything else is the original MindSpore zoo's with either gather. There the authors' Caffe network differs: it has
the stride of a layer in the first 1x1 convolution instead of the 3x3 one, pools with Caffe's rounding, uses momentum
0.95 and epsilon 1e-5 in every batch norm, and draws the MLP's and the classifier's first weights from N(0, 0.01).
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal, HeUniform

from mindzoo.models.four_layers import FourLayers
from mindzoo.models.genet_res50.constants import GATHERS, MAP_REDUCTIONS, TOTAL_STRIDE
from mindzoo.models.layers import (
    BatchNormReLU,
    Fork,
    GatedSumReLU,
    MeanOverMap,
    TruncatedNormal,
    classifier,
    dropout,
    mean_over_map,
)

MLP_REDUCTION = 16
# Share of the old moving statistics in the new ones, as the original zoo has it.
STEM_MOMENTUM, BLOCK_MOMENTUM, GATHER_MOMENTUM = 0.95, 0.997, 0.9
Size = tuple[int, int]


class ConvBatchNorm(nn.Cell):
    """Convolution without bias, batch norm, and ReLU if `relu`: (B, C, H, W) -> (B, out_channels, H/stride, W/stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        relu: bool = True,
        bn_momentum: float,
    ) -> None:
        super().__init__()
        self.conv = _conv(in_channels, out_channels, kernel, stride)
        kind = BatchNormReLU if relu else nn.BatchNorm2d
        self.batchnorm = kind(out_channels, eps=1e-5, momentum=bn_momentum)

    def construct(self, x: Tensor) -> Tensor:
        return self.batchnorm(self.conv(x))


class WholeMapGather(nn.Conv2d):
    """A depthwise convolution whose kernel is its whole map, as a weighted sum: (B, C, H, W) -> (B, C, 1, 1).

    The same numbers without a large kernel, which the original zoo found to fail on its hardware. Sums are in float32,
    since half precision would lose digits over so many pixels.
    """

    native = "Conv2d"

    def construct(self, x: Tensor) -> Tensor:
        weight = self.weight.reshape((self.out_channels, *self.kernel_size))
        products = x.astype(ms.float32) * weight.astype(ms.float32)
        return products.sum((2, 3), keepdims=True).astype(x.dtype)


class GatherExciteBlock(nn.Cell):
    """A bottleneck whose residual is scaled, channel by channel, by what was gathered from it.

    (B, in_channels, H, W) -> (B, out_channels, H/stride, W/stride).  With u the residual and x the input:
    relu(u * sigmoid(mlp(gather(u))) + shortcut(x)).
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, gather: nn.Cell, mlp: nn.Cell, bn_momentum: float
    ) -> None:
        super().__init__()
        width = out_channels // 4
        self.conv1 = ConvBatchNorm(in_channels, width, 1, bn_momentum=bn_momentum)
        self.conv2 = ConvBatchNorm(width, width, 3, stride, bn_momentum=bn_momentum)
        self.conv3 = ConvBatchNorm(width, out_channels, 1, relu=False, bn_momentum=bn_momentum)
        self.down_layer = nn.Identity()
        if in_channels != out_channels:  # in the first block of a layer
            self.down_layer = ConvBatchNorm(in_channels, out_channels, 1, stride, relu=False, bn_momentum=bn_momentum)
        self.downop = gather
        self.mlpLayer = mlp
        self.sigmoid, self.end, self.fork = nn.Sigmoid(), GatedSumReLU(), Fork()

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        residual, gathered = self.fork(self.conv3(self.conv2(self.conv1(x))))
        gate = self.sigmoid(self.mlpLayer(self.downop(gathered)))
        return self.end(residual, gate, self.down_layer(shortcut))


class GENet(FourLayers):
    """ResNet-50 of Gather-Excite blocks; see the module's head for the variants and `genet_res50` for the arguments."""

    def __init__(
        self,
        num_classes: int,
        *,
        mlp: bool,
        extra: bool,
        gather: str,
        image_size: Sequence[int],
        layers: Sequence[int],
        base_width: int,
        bn_momentum: float,
        in_channels: int,
        drop_rate: float,
    ) -> None:
        super().__init__()
        _check(extra, gather, image_size, layers, base_width)
        self.mlp, self.extra, self.gather = mlp, extra, gather
        self.image_size, self.bn_momentum = tuple(image_size), bn_momentum
        self.conv1 = _conv(in_channels, base_width, 7, 2, HeNormal(mode="fan_out", nonlinearity="relu"))
        self.bn1 = BatchNormReLU(base_width, eps=1e-4, momentum=bn_momentum or STEM_MOMENTUM)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="same")
        self.layer1 = self._layer(1, layers[0], base_width, 4 * base_width)
        self.layer2 = self._layer(2, layers[1], 4 * base_width, 8 * base_width)
        self.layer3 = self._layer(3, layers[2], 8 * base_width, 16 * base_width)
        self.layer4 = self._layer(4, layers[3], 16 * base_width, 32 * base_width)
        self.map_channels = base_width, *(base_width << number for number in range(2, 6))
        self.dropout = dropout(drop_rate)
        self.end_point = classifier(32 * base_width, num_classes, TruncatedNormal(0.01))

    def _layer(self, number: int, blocks: int, in_channels: int, out_channels: int) -> nn.SequentialCell:
        """The blocks of layer1 to layer4; all but layer1 halve the map in their first block."""
        cells = []
        for block in range(blocks):
            stride = 2 if number > 1 and block == 0 else 1
            gather, mlp = self._gather(number, out_channels), self._mlp(out_channels)
            momentum = self.bn_momentum or BLOCK_MOMENTUM
            cells.append(GatherExciteBlock(in_channels, out_channels, stride, gather, mlp, momentum))
            in_channels = out_channels
        return nn.SequentialCell(cells)

    def _gather(self, number: int, channels: int) -> nn.Cell:
        """(B, C, H, W) -> (B, C, 1, 1), as `extra` and `gather` say."""
        if not self.extra:
            return MeanOverMap(keep_dims=True)
        reduction, momentum = MAP_REDUCTIONS[number - 1], self.bn_momentum or GATHER_MOMENTUM
        cells: list[nn.Cell] = []
        if self.gather == "zoo" and number == 1:
            # The original zoo did so because large depthwise kernels failed on its hardware.
            cells += [_conv(channels, channels, 3, 2), nn.BatchNorm2d(channels, momentum=momentum)]
            reduction *= 2
        height, width = self.image_size
        kernel = height // reduction, width // reduction
        # The original zoo's own gather stays the operator that it ran with.
        kind = WholeMapGather if self.gather == "paper" else nn.Conv2d
        norm = BatchNormReLU if self.gather == "paper" and self.mlp else nn.BatchNorm2d
        cells += [_depthwise(kind, channels, kernel), norm(channels, momentum=momentum)]
        return nn.SequentialCell(cells)

    def _mlp(self, channels: int) -> nn.Cell:
        if not self.mlp:
            return nn.Identity()
        hidden, bias = channels // MLP_REDUCTION, self.gather == "paper"
        return nn.SequentialCell(
            [_conv(channels, hidden, 1, has_bias=bias), nn.ReLU(), _conv(hidden, channels, 1, has_bias=bias)]
        )

    def stem(self, x: Tensor) -> Tensor:
        """See `FourLayers.stem`; images of another size than the learnt gathers' are refused."""
        if self.extra and x.shape[2:] != self.image_size:
            raise ValueError(f"images are {x.shape[2:]}; this network's learnt gathers take {self.image_size} only")
        return self.bn1(self.conv1(self.enter(x)))

    def embed(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 32 base_width) float32: the mean over the last feature map, what the classifier sees."""
        return mean_over_map(self.features(x))

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes) float32: the logits of `features`."""
        return self.end_point(self.dropout(mean_over_map(features)))

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def genet_res50(
    num_classes: int = 1000,
    *,
    mlp: bool = True,
    extra: bool = True,
    gather: str = "zoo",
    image_size: Sequence[int] = (224, 224),
    layers: Sequence[int] = (3, 4, 6, 3),
    base_width: int = 64,
    bn_momentum: float = 0.0,
    in_channels: int = 3,
    drop_rate: float = 0.0,
) -> GENet:
    """Gather-Excite ResNet-50: 33,586,216 trainable parameters with 1000 classes and the default options.

    Args:
        num_classes: outputs of the classifier; 0 for none, so that the network gives what a classifier would see.
        mlp: excite through two 1x1 convolutions with a sixteenth of the channels between them.
        extra: a learnt gather; else the mean over the map.
        gather: "zoo" or "paper", how the learnt gather and the MLP are built.
        image_size: height and width of the images; with `extra` the only size that the network takes.
        layers: blocks of layer1 to layer4.
        base_width: channels after the first convolution; layer1 to layer4 have 4, 8, 16 and 32 times as many.
        bn_momentum: share of the old moving statistics in the new ones, for every batch norm; 0 stands for the
            original zoo's 0.997 in the blocks, 0.9 in the gathers and 0.95 after the first convolution, of which the
            first takes over a thousand steps to forget where it began.
        in_channels: of the images.
        drop_rate: the share of the classifier's inputs that is 0 in training.

    Raises:
        ValueError: an unknown `gather`; with `extra` a side of `image_size` that is no multiple of 32; not four
            layers; a `base_width` that is no multiple of 4.
    """
    return GENet(
        num_classes,
        mlp=mlp,
        extra=extra,
        gather=gather,
        image_size=image_size,
        layers=layers,
        base_width=base_width,
        bn_momentum=bn_momentum,
        in_channels=in_channels,
        drop_rate=drop_rate,
    )


def _check(extra: bool, gather: str, image_size: Sequence[int], layers: Sequence[int], base_width: int) -> None:
    if gather not in GATHERS:
        raise ValueError(f"gather is {gather!r}; wanted one of {', '.join(GATHERS)}")
    sides_fit = len(image_size) == 2 and all(side > 0 and side % TOTAL_STRIDE == 0 for side in image_size)
    if extra and not sides_fit:
        raise ValueError(
            f"image_size is {tuple(image_size)}; a learnt gather needs height and width that are multiples of "
            f"{TOTAL_STRIDE}: choose such a size, or extra=False, which takes any"
        )
    if len(layers) != len(MAP_REDUCTIONS) or min(layers) < 1:
        raise ValueError(f"layers is {tuple(layers)}; wanted the number of blocks of each of the 4 layers")
    if base_width < 1 or 4 * base_width % MLP_REDUCTION:
        raise ValueError(f"base_width is {base_width}; wanted a multiple of {MLP_REDUCTION // 4}")


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    weight_init: HeUniform | HeNormal | None = None,
    *,
    has_bias: bool = False,
) -> nn.Conv2d:
    """A convolution padded to H/stride, by one pixel more at the bottom and right where that is uneven."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="same",
        has_bias=has_bias,
        weight_init=weight_init or HeUniform(),
        bias_init="zeros",
    )


def _depthwise(kind: type[nn.Conv2d], channels: int, kernel: Size) -> nn.Conv2d:
    """One filter per channel over the whole map: (B, C, *kernel) -> (B, C, 1, 1)."""
    return kind(channels, channels, kernel, pad_mode="valid", group=channels, weight_init=HeUniform())
