"""The reference vectors: weights that are rebuilt from their names, and the outputs that the originals compute."""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mindspore import Tensor, nn

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


def rows(weights: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Weights by name in the form that `ms.save_checkpoint` takes."""
    return [{"name": name, "data": Tensor(value)} for name, value in weights.items()]
