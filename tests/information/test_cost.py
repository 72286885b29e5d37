"""Multiply-adds, parameters and activations, against counts that others published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mindspore import Tensor, nn, ops

from mindzoo.models import get_spec
from mindzoo.scripts.dev.compare_networks import COSTS
from mindzoo.utils.information.cost import Layer, last_map, layers_of
from mindzoo.utils.information.dry_run import undrawn
from mindzoo.utils.information.table import folded

# timm 0.8, https://github.com/huggingface/pytorch-image-models, results/benchmark-infer-amp-nchw-pt113-cu117-rtx3090.csv:
# infer_gmacs, infer_macts and param_count at 224 pixels, 1000 classes.
PUBLISHED = {
    "densenet121": (2.87, 6.9, 7.98),
    "hrnet_w48": (17.34, 28.56, 77.47),
    "multigrain": (4.11, 11.11, 25.56),  # as resnet50: pooling and normalisation of the embedding have no such numbers
}
OPTIONS: dict[str, dict[str, Any]] = {"densenet121": {"flavour": "paper"}, "multigrain": {"flavour": "paper"}}
AREA = (
    224 // 32
) ** 2  # maps of 224 pixels have so many times the pixels of those of 32; all of their sides are whole there
NORMS = ("BatchNorm2d", "BatchNormReLU", "BatchNormSumReLU")


def layers_at_32(name: str, num_classes: int = 1000, **options: Any) -> list[Layer]:
    with undrawn():
        network = get_spec(name).make(num_classes, options)
    return layers_of(network, (32, 32))


def at_224(layers: list[Layer], what: str) -> int:
    """The sum of a figure for images of 224 pixels, by that for 32 pixels: what belongs to a map grows with it."""
    return sum(getattr(one, what) * (AREA if len(one.shape) == 3 else 1) for one in layers)


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_those_that_timm_published(name: str) -> None:
    layers = layers_at_32(name, **OPTIONS.get(name, {}))
    gmacs, macts, parameters = PUBLISHED[name]
    kept = json.loads(COSTS.read_text(encoding="utf-8"))[name]  # what the page of the networks shows
    assert sum(layer.parameters for layer in layers) == kept["parameters"]
    # Upsampling is a product with a matrix that grows with the map's width: 0.3 % of hrnet_w48's at 224 pixels.
    assert at_224(layers, "multiply_adds") == pytest.approx(kept["multiply_adds"], rel=0.004)
    assert round(sum(layer.parameters for layer in layers) / 1e6, 2) == parameters
    weighted = [layer for layer in layers if layer.kind in ("Conv2d", "Dense")]
    assert round(at_224(weighted, "values") / 1e6, 2) == macts
    # timm counts two for each number that a batch norm puts out, and none for upsampling, which is a product here.
    norms = [layer for layer in layers if layer.kind in NORMS]
    theirs = at_224(weighted, "multiply_adds") + 2 * at_224(norms, "values")
    assert theirs / 1e9 == pytest.approx(gmacs, abs=0.006)


def test_products_that_are_no_layers_are_counted_where_they_stand() -> None:
    layers = layers_at_32("glore_res50", 3, layers=(1, 1, 1, 1), base_width=8)
    (unit,) = [layer for layer in layers if layer.kind == "GraphReasoning"]
    states, nodes, pixels = 64, 32, 2 * 2
    # What mixes the nodes, the product that makes the graph, and the one that returns to the pixels.
    assert unit.multiply_adds == nodes * nodes * pixels + 2 * states * nodes * pixels
    assert unit.sees_whole_map
    assert unit.parameters == nodes * nodes  # of the convolution whose weights it takes, and which it does not call


class Two(nn.Cell):
    """A grouped convolution, an identity and a pooling of the whole map in front of a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, stride=2, pad_mode="pad", padding=1, group=2)
        self.first = nn.Conv2d(3, 4, 1, has_bias=True)
        self.same = nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Dense(8, 5)

    def construct(self, x: Tensor) -> Tensor:
        return self.dense(ops.flatten(self.pool(self.same(self.grouped(self.first(x))))))


def test_layers_stand_in_the_order_in_which_they_run() -> None:
    layers = layers_of(Two(), (6, 8))
    assert [(one.name, one.shape, one.parameters, one.multiply_adds) for one in layers] == [
        ("first", (4, 6, 8), 3 * 4 + 4, 6 * 8 * 4 * 3),
        ("grouped", (8, 3, 4), 8 * 2 * 9, 3 * 4 * 8 * 2 * 9),
        ("pool", (8, 1, 1), 0, 0),
        ("dense", (5,), 8 * 5 + 5, 40),
    ]
    last = last_map(layers)
    assert last is not None
    assert last.name == "grouped"
    assert [one.sees_whole_map for one in layers] == [False, False, True, False]


def test_a_folded_line_has_the_sums_and_the_last_shape() -> None:
    layers = [Layer("a.x", "Conv2d", (4, 2, 2), 10, 100, 16), Layer("a.y", "ReLU", (2, 2, 2), 1, 0, 8)]
    layers.append(Layer("b", "Dense", (3,), 5, 6, 3))
    assert folded(layers, 1) == [Layer("a", "block", (2, 2, 2), 11, 100, 24), layers[2]]
    assert folded(layers, 0) == layers
