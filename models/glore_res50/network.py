"""ResNet-50 with graph-based global reasoning (GloRe) units in its third layer.

Paper: Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, https://arxiv.org/abs/1811.12814
Input: (B, 3, H, W) float32, normalised.  Output: (B, num_classes) float32 logits.

Two forms of the unit, whose weights do not fit each other:

    unit      1x1 convolutions into and out of the graph      last step before the sum
    "zoo"     batch norm and ReLU before each, no biases      the convolution          the original MindSpore zoo
    "paper"   plain, with biases into the graph               a batch norm             the authors' code
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import HeNormal, HeUniform, XavierUniform

from mindzoo.models.four_layers import FourLayers
from mindzoo.models.glore_res50.constants import UNITS, WEIGHT_INITS
from mindzoo.models.layers import (
    BatchNormReLU,
    BatchNormSumReLU,
    Fork,
    TruncatedNormal,
    classifier,
    dropout,
    mean_over_map,
)

INITIALIZERS = {"xavier_uniform": XavierUniform, "he_uniform": HeUniform, "he_normal": HeNormal}
EXPANSION = 4  # outputs of a bottleneck for each channel of its 3x3 convolution
BLOCKS_WITH_UNIT = (0, 2, 4)


class GraphReasoning(nn.Cell):
    """The graph of a unit, from the states S (B, states, H, W) and the projection P (B, nodes, H, W) of the pixels.

    V = S P^T is the graph, V' = ReLU(V + V A + b) mixes its nodes, and W V' P mixes the states and returns to the
    pixels: (B, states, H, W) (paper, section 3). By associativity V A = S (A^T P)^T and (W V') P = W (V' P), so that A
    and, where pixels are few, W are 1x1 convolutions of pixels instead of the much larger graph.
    """

    channels_last = False

    def __init__(self, states: int, nodes: int, *, has_bias: bool, weight_init: str) -> None:
        super().__init__()
        self.states, self.nodes, self.has_bias = states, nodes, has_bias
        self.conv1 = _conv(nodes, nodes, has_bias=has_bias, weight_init=weight_init)
        self.conv2 = _conv(states, states, weight_init=weight_init)
        self.relu = nn.ReLU()
        self.to_graph = ops.BatchMatMul(transpose_b=True)
        self.from_pixels = ops.BatchMatMul(transpose_a=True)
        self.to_pixels = ops.BatchMatMul()

    def construct(self, states: Tensor, projection: Tensor) -> Tensor:
        if self.channels_last:
            return self._of_rows(states, projection)
        height, width = states.shape[2:]
        # -1 for the batch, so that an exported file takes any
        pixels, image = (-1, self.nodes, height * width), (-1, self.states, height, width)
        mixed = projection + ops.conv2d(projection, self.conv1.weight.astype(projection.dtype))
        graph = self.to_graph(states.reshape((-1, self.states, height * width)), mixed.reshape(pixels))
        if self.has_bias:  # of the graph, not of the pixels
            graph = graph + self.conv1.bias.astype(graph.dtype)
        graph = self.relu(graph)
        # Not at 224 pixels: there the gain is small, and sums that run over do so as in the original's order.
        if 2 * height * width <= self.nodes:
            return self.conv2(self.to_pixels(graph, projection.reshape(pixels)).reshape(image))
        graph = self.conv2(graph.reshape((-1, self.states, self.nodes, 1)))
        graph = graph.reshape((-1, self.states, self.nodes))
        return self.to_pixels(graph, projection.reshape(pixels)).reshape(image)

    def _of_rows(self, states: Tensor, projection: Tensor) -> Tensor:
        """The same with channels last: the graph is V^T (B, nodes, states)."""
        batch, height, width = states.shape[:3]
        pixels = projection.reshape((batch, height * width, self.nodes))
        mixed = pixels + ops.matmul(pixels, self.conv1.weight.reshape((self.nodes, self.nodes)).T)
        graph = self.from_pixels(mixed, states.reshape((batch, height * width, self.states)))
        if self.has_bias:
            graph = graph + self.conv1.bias.reshape((self.nodes, 1))
        graph = self.relu(graph)
        if 2 * height * width <= self.nodes:
            return self.conv2(self.to_pixels(pixels, graph).reshape((batch, height, width, self.states)))
        graph = self.conv2(graph.reshape((batch, self.nodes, 1, self.states)))
        graph = graph.reshape((batch, self.nodes, self.states))
        return self.to_pixels(pixels, graph).reshape((batch, height, width, self.states))


class GloReUnit(nn.Cell):
    """Global reasoning: pixels are projected onto the nodes of a graph, reasoned over, and projected back.

    (B, channels, H, W) -> (B, channels, H, W), the input plus what was reasoned. That is 0 in a new unit, as in the
    authors', but from weights that get a gradient: the zoo's last batch norm starts at 0 in front of a ReLU, which
    lets none through, so here the convolution behind it starts at 0 instead.

    Args:
        channels: of input and output.
        states: the length of a node's vector.
        nodes: how many nodes the graph has.
        unit: "zoo" or "paper"; see the module's head.
        bn_momentum: share of the old value in a batch norm's moving statistics.
        weight_init: first weights of the convolutions, a name in WEIGHT_INITS.

    Raises:
        ValueError: `unit` or `weight_init` is unknown.
    """

    def __init__(
        self,
        channels: int,
        states: int,
        nodes: int,
        *,
        unit: str = "zoo",
        bn_momentum: float = 0.92,
        weight_init: str = "xavier_uniform",
    ) -> None:
        super().__init__()
        _check("unit", unit, UNITS)
        _check("weight_init", weight_init, WEIGHT_INITS)
        conv, norm = partial(_conv, weight_init=weight_init), partial(_norm, momentum=bn_momentum)
        norm_relu, paper = partial(norm, kind=BatchNormReLU), unit == "paper"
        if paper:
            self.conv_state = conv(channels, states, has_bias=True)
            self.conv_proj = conv(channels, nodes, has_bias=True)
            self.conv_extend = conv(states, channels)
            self.blocker = norm(channels, gamma="zeros")
        else:
            # The numbers of the norm and of the convolution are part of the parameters' names.
            self.conv_state = nn.SequentialCell(norm_relu(channels), nn.Identity(), conv(channels, states))
            self.conv_proj = nn.SequentialCell(norm_relu(channels), nn.Identity(), conv(channels, nodes))
            self.conv_extend = nn.SequentialCell(
                norm_relu(states), nn.Identity(), _conv(states, channels, weight_init="zeros")
            )
            self.blocker = nn.Identity()
        self.gcn = GraphReasoning(states, nodes, has_bias=paper, weight_init=weight_init)

    def construct(self, x: Tensor) -> Tensor:
        reasoned = self.gcn(self.conv_state(x), self.conv_proj(x))
        return x + self.blocker(self.conv_extend(reasoned))


class Bottleneck(nn.Cell):
    """Convolutions 1x1, 3x3, 1x1 and a shortcut: (B, C, H, W) -> (B, out_channels, H / stride, W / stride)."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, *, first: bool, bn_momentum: float, weight_init: str
    ) -> None:
        super().__init__()
        conv, norm = partial(_conv, weight_init=weight_init), partial(_norm, momentum=bn_momentum)
        width, norm_relu = out_channels // EXPANSION, partial(norm, kind=BatchNormReLU)
        self.conv1, self.bn1 = conv(in_channels, width), norm_relu(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), norm_relu(width)
        self.conv3, self.bn3 = conv(width, out_channels), norm(out_channels, gamma="zeros", kind=BatchNormSumReLU)
        self.fork, self.down_sample_layer = Fork(), nn.Identity()
        if first:
            # padded like conv2, so that both halve an odd side alike
            pool = nn.AvgPool2d(stride, stride, pad_mode="same") if stride > 1 else nn.Identity()
            self.down_sample_layer = nn.SequentialCell(pool, conv(in_channels, out_channels), norm(out_channels))

    def construct(self, x: Tensor) -> Tensor:
        x, shortcut = self.fork(x)
        y = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        return self.bn3(self.conv3(y), self.down_sample_layer(shortcut))


class GloReResNet(FourLayers):
    """A ResNet with a stem of three 3x3 convolutions and GloRe units after blocks 1, 3 and 5 of its third layer.

    Args:
        num_classes: classes of the classifier.
        use_glore: False leaves the units out.
        unit: the form of the units, "zoo" or "paper"; see the module's head.
        bn_momentum: share of the old value in a batch norm's moving statistics.
        layers: blocks in each of the four layers.
        base_width: channels after the stem; layer1 puts out 4 times as many, each further layer twice the one before.
        weight_init: first weights of the convolutions, a name in WEIGHT_INITS.

    Raises:
        ValueError: `unit` or `weight_init` is unknown, or `layers` are not four.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        use_glore: bool = True,
        unit: str = "zoo",
        bn_momentum: float = 0.92,
        layers: Sequence[int] = (3, 4, 6, 3),
        base_width: int = 64,
        weight_init: str = "xavier_uniform",
        in_channels: int = 3,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        _check("unit", unit, UNITS)
        _check("weight_init", weight_init, WEIGHT_INITS)
        if len(layers) != 4:
            raise ValueError(f"layers is {tuple(layers)}; wanted four numbers of blocks")
        self.conv1 = _stem(in_channels, base_width, bn_momentum, weight_init)
        self.bn1 = _norm(base_width, momentum=bn_momentum, kind=BatchNormReLU)
        self.maxpool = nn.MaxPool2d(3, 2, pad_mode="same")
        layer = partial(_layer, unit=unit, bn_momentum=bn_momentum, weight_init=weight_init)
        widths = [base_width, *(EXPANSION * base_width * 2**i for i in range(4))]
        self.layer1 = layer(layers[0], widths[0], widths[1], 1)
        self.layer2 = layer(layers[1], widths[1], widths[2], 2)
        self.layer3 = layer(layers[2], widths[2], widths[3], 2, with_units=use_glore)
        self.layer4 = layer(layers[3], widths[3], widths[4], 2)
        self.map_channels = tuple(widths)
        self.dropout = dropout(drop_rate)
        self.end_point = classifier(widths[4], num_classes, TruncatedNormal(0.01))

    def embed(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C) float32: the mean over the last feature map, what the classifier sees."""
        return mean_over_map(self.features(x))

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes) float32: the logits of `features`."""
        return self.end_point(self.dropout(mean_over_map(features)))

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def glore_res50(num_classes: int = 1000, **options: object) -> GloReResNet:
    """GloRe-ResNet-50: 30,506,824 trainable parameters with 1000 classes. Options: those of :class:`GloReResNet`."""
    return GloReResNet(num_classes, **options)  # type: ignore[arg-type]


def _stem(in_channels: int, width: int, bn_momentum: float, weight_init: str) -> nn.SequentialCell:
    """Three 3x3 convolutions in place of ResNet's 7x7: (B, in_channels, H, W) -> (B, width, H/2, W/2)."""
    conv = partial(_conv, kernel=3, weight_init=weight_init)
    norm_relu = partial(_norm, momentum=bn_momentum, kind=BatchNormReLU)
    return nn.SequentialCell(
        OrderedDict(
            conv_1=conv(in_channels, width // 2, stride=2),
            bn1=norm_relu(width // 2),
            conv_2=conv(width // 2, width // 2),
            bn2=norm_relu(width // 2),
            conv_3=conv(width // 2, width),
        )
    )


def _layer(
    blocks: int,
    in_channels: int,
    channels: int,
    stride: int,
    *,
    with_units: bool = False,
    unit: str,
    bn_momentum: float,
    weight_init: str,
) -> nn.SequentialCell:
    """Bottlenecks, the first with `stride`; with units, some are followed by one of half as many states as channels."""
    bottleneck = partial(Bottleneck, bn_momentum=bn_momentum, weight_init=weight_init)
    reasoning = partial(GloReUnit, unit=unit, bn_momentum=bn_momentum, weight_init=weight_init)
    cells: list[nn.Cell] = []
    for number in range(blocks):
        first = number == 0
        cells.append(bottleneck(in_channels if first else channels, channels, stride if first else 1, first=first))
        if with_units and number in BLOCKS_WITH_UNIT:
            cells.append(reasoning(channels, channels // 2, channels // 4))
    return nn.SequentialCell(cells)


def _conv(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, *, has_bias: bool = False, weight_init: str
) -> nn.Conv2d:
    """A convolution padded to `same`: with stride 2 an even side is padded at its end only."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="same",
        has_bias=has_bias,
        weight_init="zeros" if weight_init == "zeros" else INITIALIZERS[weight_init](),
        bias_init="zeros",
    )


def _norm(
    channels: int, *, momentum: float, gamma: str = "ones", kind: type[nn.BatchNorm2d] = nn.BatchNorm2d
) -> nn.BatchNorm2d:
    return kind(channels, eps=1e-4, momentum=momentum, gamma_init=gamma)


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; wanted one of {', '.join(known)}")
