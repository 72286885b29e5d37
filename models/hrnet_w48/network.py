"""HRNet-W48-C: branches of high to low resolution side by side, each fed from all others again and again.

Paper: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", TPAMI 2020,
https://arxiv.org/abs/1908.07919
Input: (B, 3, H, W) float32, normalised, H and W at least 32.  Output: (B, num_classes) float32 logits.

Branch k = 0..3 has width * 2**k channels and maps of (H, W) / 2**(k + 2), rounded up:

    part             what it does                                                               branches out
    conv1, conv2     3x3 convolutions of stride 2                                               1
    layer1           stage 1: bottlenecks                                                       1
    transition1..3   the first also fits branch 0 to its width; each appends a branch, by a     2, 3, 4
                     3x3 convolution of stride 2 of the last one
    stage2..4        modules: basic blocks on every branch, then fusion of all with all         2, 3, 4
    head             a bottleneck on every branch, summed from high to low, a 1x1 convolution   1

The original MindSpore zoo, the authors and timm compute the same from the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import HeNormal, Initializer, Normal, Uniform, XavierUniform

from mindzoo.models.hrnet_w48.constants import CONV_INITS, DENSE_INITS, EMBEDDING, STEM_CHANNELS
from mindzoo.models.layers import (
    BatchNormReLU,
    BatchNormSumReLU,
    Fork,
    FromLayout,
    ToLayout,
    TruncatedNormal,
    classifier,
    dropout,
    mean_over_map,
)

INITIALIZERS = {
    "TruncatedNormal": TruncatedNormal(0.027),
    "XavierUniform": XavierUniform(),
    "HeNormal": HeNormal(mode="fan_out", nonlinearity="relu"),
    "RandomNormal": Normal(0.01),
}
# Channels out of a bottleneck, as a multiple of those inside.
EXPANSION = 4
Maps = tuple[Tensor, ...]


class BasicBlock(nn.Cell):
    """Two 3x3 convolutions beside a shortcut: (B, C, H, W) -> the same."""

    def __init__(self, channels: int, init: Initializer) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 3, init)
        self.bn1 = BatchNormReLU(channels)
        self.conv2 = _conv(channels, channels, 3, init)
        self.bn2 = BatchNormSumReLU(channels)
        self.fork = Fork()

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        return self.bn2(self.conv2(self.bn1(self.conv1(x))), shortcut)


class Bottleneck(nn.Cell):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut: (B, C, H, W) -> (B, 4 * planes, H, W)."""

    def __init__(self, in_channels: int, planes: int, init: Initializer) -> None:
        super().__init__()
        out_channels = EXPANSION * planes
        self.conv1 = _conv(in_channels, planes, 1, init)
        self.bn1 = BatchNormReLU(planes)
        self.conv2 = _conv(planes, planes, 3, init)
        self.bn2 = BatchNormReLU(planes)
        self.conv3 = _conv(planes, out_channels, 1, init)
        self.bn3 = BatchNormSumReLU(out_channels)
        self.downsample = (
            nn.Identity() if in_channels == out_channels else _unit(in_channels, out_channels, 1, init, relu=False)
        )
        self.fork = Fork()

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        residual = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        return self.bn3(self.conv3(residual), self.downsample(shortcut))


class Upsample(nn.Cell):
    """Nearest neighbour upsampling by an integer: (B, C, H, W) -> (B, C, factor * H, factor * W).

    One product with a constant matrix: MindSpore's resizing operators cannot be written to ONNX for any batch size,
    and reshape-and-broadcast is slower on a CPU, above all backwards.
    """

    native = "Upsample"

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def construct(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        repeat = _repeating(width, self.factor).astype(x.dtype)
        return ops.matmul(x.reshape((-1, width)), repeat).reshape(
            (-1, channels, self.factor * height, self.factor * width)
        )


class Module(nn.Cell):
    """Basic blocks on every branch; then every branch becomes the sum of all, each brought to its shape.

    A tuple with (B, channels[k], H_k, W_k) for each branch k -> the same shapes.
    """

    channels_last = False

    def __init__(self, channels: Sequence[int], blocks: int, init: Initializer) -> None:
        super().__init__()
        self.branches = nn.CellList(
            [nn.SequentialCell([BasicBlock(width, init) for _ in range(blocks)]) for width in channels]
        )
        numbers = range(len(channels))
        self.fuse_layers = nn.CellList(
            [nn.CellList([_fuse_layer(channels, source, target, init) for source in numbers]) for target in numbers]
        )
        self.relu = nn.ReLU()
        self.count = len(channels)

    def construct(self, maps: Maps) -> Maps:
        branches: Maps = ()
        for k in range(self.count):
            branches = (*branches, self.branches[k](maps[k]))
        fused: Maps = ()
        for target in range(self.count):
            like = branches[target]
            total = self._crop(self.fuse_layers[target][0](branches[0]), like)
            for source in range(1, self.count):
                total = total + self._crop(self.fuse_layers[target][source](branches[source]), like)
            fused = (*fused, self.relu(total))
        return fused

    def _crop(self, x: Tensor, like: Tensor) -> Tensor:
        """An upsampled map is too large by a few pixels where a side of the image is no multiple of 32."""
        if x.shape == like.shape:
            return x
        if self.channels_last:
            return x[:, : like.shape[1], : like.shape[2]]
        return x[:, :, : like.shape[2], : like.shape[3]]


class HRNet(nn.Cell):
    """HRNet for classification; see the module's head for shapes and `hrnet_w48` for the arguments."""

    def __init__(
        self,
        num_classes: int,
        *,
        width: int,
        modules: Sequence[int],
        blocks: int,
        head_width: int,
        conv_init: str,
        dense_init: str,
        in_channels: int,
        drop_rate: float,
    ) -> None:
        super().__init__()
        _check(num_classes, width, modules, blocks, head_width, conv_init, dense_init)
        init = INITIALIZERS[conv_init]
        self.count = len(modules) + 1
        channels, planes = ([first * 2**k for k in range(self.count)] for first in (width, head_width))
        stage1_channels = EXPANSION * STEM_CHANNELS
        self.conv1 = _conv(in_channels, STEM_CHANNELS, 3, init, stride=2)
        self.bn1 = BatchNormReLU(STEM_CHANNELS)
        self.conv2 = _conv(STEM_CHANNELS, STEM_CHANNELS, 3, init, stride=2)
        self.bn2 = BatchNormReLU(STEM_CHANNELS)
        self.layer1 = nn.SequentialCell(
            [Bottleneck(stage1_channels if block else STEM_CHANNELS, STEM_CHANNELS, init) for block in range(blocks)]
        )
        self.transition1 = nn.CellList(
            [
                _unit(stage1_channels, channels[0], 3, init),
                nn.SequentialCell([_unit(stage1_channels, channels[1], 3, init, stride=2)]),
            ]
        )
        self.stage2 = _stage(channels[:2], modules[0], blocks, init)
        if self.count > 2:
            self.transition2 = _new_branch(channels[:3], init)
            self.stage3 = _stage(channels[:3], modules[1], blocks, init)
        if self.count > 3:
            self.transition3 = _new_branch(channels, init)
            self.stage4 = _stage(channels, modules[2], blocks, init)
        self.incre_modules = nn.CellList(
            [nn.SequentialCell([Bottleneck(*widths, init)]) for widths in zip(channels, planes, strict=True)]
        )
        self.downsamp_modules = nn.CellList(
            [_unit(EXPANSION * width, 2 * EXPANSION * width, 3, init, stride=2, has_bias=True) for width in planes[:-1]]
        )
        self.final_layer = _unit(EXPANSION * planes[-1], EMBEDDING * head_width, 1, init, has_bias=True)
        self.map_channels = STEM_CHANNELS, *(EXPANSION * width for width in planes)
        self.dropout = dropout(drop_rate)
        self.classifier = classifier(EMBEDDING * head_width, num_classes, INITIALIZERS[dense_init])
        self.enter, self.leave = ToLayout(), FromLayout()

    def branches(self, x: Tensor) -> Maps:
        """(B, 3, H, W) -> for each branch k its map (B, width * 2**k, H / 2**(k + 2), W / 2**(k + 2))."""
        maps: Maps = ()
        for branch in self._branches(self._stem(x)):
            maps = (*maps, self.leave(branch))
        return maps

    def maps(self, x: Tensor) -> Maps:
        """(B, 3, H, W) -> the map of stride 2 behind conv1, and of each branch that of the head's bottleneck.

        The last one has a stride of 32 and is not that of `features`, which is made of all of them.
        """
        stem = self._stem(x)
        branches = self._branches(stem)
        maps: Maps = (self.leave(stem),)
        for k in range(self.count):
            maps = (*maps, self.leave(self.incre_modules[k](branches[k])))
        return maps

    def _stem(self, x: Tensor) -> Tensor:
        return self.bn1(self.conv1(self.enter(x)))

    def _branches(self, x: Tensor) -> Maps:
        """The stem's map -> the branches' maps, in the order that the network computes in."""
        x = self.layer1(self.bn2(self.conv2(x)))
        maps = self.stage2((self.transition1[0](x), self.transition1[1](x)))
        if self.count > 2:
            maps = self.stage3((*maps, self.transition2[-1](maps[-1])))
        if self.count > 3:
            maps = self.stage4((*maps, self.transition3[-1](maps[-1])))
        return maps

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 64 * head_width, H/32, W/32): the last feature map, after the ReLU."""
        maps = self._branches(self._stem(x))
        y = self.incre_modules[0](maps[0])
        for k in range(self.count - 1):
            y = self.incre_modules[k + 1](maps[k + 1]) + self.downsamp_modules[k](y)
        return self.leave(self.final_layer(y))

    def embed(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 64 * head_width) float32: the mean over the last map, what the classifier sees."""
        return mean_over_map(self.features(x))

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes) float32: the logits of `features`."""
        return self.classifier(self.dropout(mean_over_map(features)))

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def hrnet_w48(
    num_classes: int = 1000,
    *,
    width: int = 48,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    head_width: int = 32,
    conv_init: str = "TruncatedNormal",
    dense_init: str = "RandomNormal",
    in_channels: int = 3,
    drop_rate: float = 0.0,
) -> HRNet:
    """HRNet-W48-C: 77,469,864 trainable parameters with 1000 classes and the default options.

    Args:
        num_classes: outputs of the classifier; 0 for none, so that the network gives what a classifier would see.
        width: channels of the first branch; the paper's networks have 18, 32, 40, 48 and 64.
        modules: modules of stages 2, 3 and 4; with fewer numbers the last stages, and their branches, are left out.
        blocks: bottlenecks of stage 1, and basic blocks of every branch of every module.
        head_width: the head's bottlenecks have 1, 2, 4 and 8 times as many channels inside, and 64 times as many
            leave the last convolution.
        conv_init: first weights of the convolutions, "TruncatedNormal" (sigma 0.027, cut at two sigmas),
            "XavierUniform", or the authors' "HeNormal" over the outputs.
        dense_init: first weights of the classifier, "RandomNormal" (sigma 0.01) or "TruncatedNormal" (0.027).
        in_channels: of the images.
        drop_rate: the share of the classifier's inputs that is 0 in training.

    Raises:
        ValueError: an unknown `conv_init` or `dense_init`, a number below 1, or more than three of `modules`.
    """
    return HRNet(
        num_classes,
        width=width,
        modules=modules,
        blocks=blocks,
        head_width=head_width,
        conv_init=conv_init,
        dense_init=dense_init,
        in_channels=in_channels,
        drop_rate=drop_rate,
    )


def _check(
    num_classes: int, width: int, modules: Sequence[int], blocks: int, head_width: int, conv_init: str, dense_init: str
) -> None:
    numbers = {
        "num_classes": (num_classes, 0),
        "width": (width, 1),
        "blocks": (blocks, 1),
        "head_width": (head_width, 1),
    }
    for name, (value, least) in numbers.items():
        if value < least:
            raise ValueError(f"{name} is {value}; wanted at least {least}")
    if not 1 <= len(modules) <= 3 or min(modules) < 1:
        raise ValueError(f"modules is {tuple(modules)}; wanted the number of modules of each of stages 2, 3 and 4")
    inits = {"conv_init": (conv_init, CONV_INITS), "dense_init": (dense_init, DENSE_INITS)}
    for name, (word, known) in inits.items():
        if word not in known:
            raise ValueError(f"{name} is {word!r}; wanted one of {', '.join(known)}")


def _fuse_layer(channels: Sequence[int], source: int, target: int, init: Initializer) -> nn.Cell:
    """Brings branch `source` to the channels and the size of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        unit = _unit(channels[source], channels[target], 1, init, relu=False)
        unit.append(Upsample(2 ** (source - target)))
        return unit
    halvings = [_unit(channels[source], channels[source], 3, init, stride=2) for _ in range(target - source - 1)]
    return nn.SequentialCell([*halvings, _unit(channels[source], channels[target], 3, init, stride=2, relu=False)])


def _stage(channels: Sequence[int], modules: int, blocks: int, init: Initializer) -> nn.SequentialCell:
    return nn.SequentialCell([Module(channels, blocks, init) for _ in range(modules)])


def _new_branch(channels: Sequence[int], init: Initializer) -> nn.CellList:
    """The branches stay as they are; one more is made of the last, with the last of `channels`.

    The numbers of the unchanged ones and of the only unit in the chain are part of the parameters' names.
    """
    unit = _unit(channels[-2], channels[-1], 3, init, stride=2)
    return nn.CellList([*(nn.Identity() for _ in channels[:-1]), nn.SequentialCell([unit])])


@ops.constexpr
def _repeating(width: int, factor: int) -> Tensor:
    """(width, factor * width * factor) float32 of zeros and ones.

    A row of a map times this is the row with every pixel `factor` times, and that `factor` times in a row.
    """
    pixels = np.tile(np.arange(width * factor) // factor, factor)
    return Tensor(np.eye(width, dtype=np.float32)[:, pixels])


def _unit(
    in_channels: int,
    out_channels: int,
    kernel: int,
    init: Initializer,
    *,
    stride: int = 1,
    has_bias: bool = False,
    relu: bool = True,
) -> nn.SequentialCell:
    """Convolution, batch norm and, if `relu`, ReLU."""
    norm = BatchNormReLU(out_channels) if relu else nn.BatchNorm2d(out_channels)
    return nn.SequentialCell([_conv(in_channels, out_channels, kernel, init, stride=stride, has_bias=has_bias), norm])


def _conv(
    in_channels: int, out_channels: int, kernel: int, init: Initializer, *, stride: int = 1, has_bias: bool = False
) -> nn.Conv2d:
    """A convolution padded alike on all sides."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="pad",
        padding=kernel // 2,
        has_bias=has_bias,
        weight_init=init,
        bias_init=Uniform((in_channels * kernel * kernel) ** -0.5),
    )
