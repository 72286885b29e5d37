"""The reference vectors: weights that are rebuilt from their names, and the outputs that the originals compute."""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mindspore import Tensor, nn

from mindzoo.models.feature_maps import FeatureMaps
from mindzoo.tests.support.paths import ROOT

# `fill(name, shape, seed)` and `images(batch, size, seed)`
FILL = runpy.run_path(str(ROOT / "tests" / "vectors" / "fill.py"))


class Vectors(NamedTuple):
    """A reference: the weights by name, the input and what the original computes."""

    weights: dict[str, np.ndarray]
    images: np.ndarray
    logits: np.ndarray


def vectors(name: str) -> Vectors:
    """The reference in tests/vectors/`name`.npz, with two images of the size that it was computed at."""
    with np.load(ROOT / "tests" / "vectors" / f"{name}.npz") as file:
        meta, logits = json.loads(str(file["meta"])), file["logits"]
    weights = {
        name: FILL["fill"](name, shape, meta["seed"]) for name, shape in zip(meta["names"], meta["shapes"], strict=True)
    }
    return Vectors(weights, FILL["images"](2, meta["size"], meta["seed"]), logits)


def assert_logits(network: nn.Cell, wanted: Vectors) -> None:
    """The network's logits are the reference's, to 1e-4 of the largest one."""
    found = network(Tensor(wanted.images)).asnumpy()
    assert np.abs(found - wanted.logits).max() <= 1e-4 * np.abs(wanted.logits).max()


def assert_maps(network: nn.Cell, channels: Sequence[int], means: Sequence[float]) -> None:
    """The maps of one image of 64 pixels have timm's channels and sizes, and its means of absolute values, to 1e-4."""
    backbone = FeatureMaps(network, range(len(channels)))
    assert backbone.feature_info.channels() == list(channels)
    maps = backbone(Tensor(FILL["images"](1, 64)))
    assert [m.shape[1:] for m in maps] == [(width, 32 >> i, 32 >> i) for i, width in enumerate(channels)]
    np.testing.assert_allclose([np.abs(m.asnumpy()).mean(dtype=np.float64) for m in maps], means, rtol=1e-4)


def rows(weights: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Weights by name in the form that `ms.save_checkpoint` takes."""
    return [{"name": name, "data": Tensor(value)} for name, value in weights.items()]
