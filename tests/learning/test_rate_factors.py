"""Factors on the learning rate and the weight decay of single parameters."""

from __future__ import annotations

from typing import Any

import pytest
from mindspore import nn

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import rate_factors

STAGES = (("stem.",), ("absent.",), ("body.0.", "side."), ("body.1.",))


class Staged(nn.Cell):
    """Two stages, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Dense(2, 2, has_bias=False)
        self.body = nn.CellList([nn.Dense(2, 2), nn.Dense(2, 2, has_bias=False)])
        self.head = nn.Dense(2, 2)


def factors(network: nn.Cell, **keys: Any) -> dict[str, dict[str, float]]:
    return rate_factors.of(TrainConfig(**keys), network, STAGES)


def test_the_rate_falls_from_stage_to_stage_towards_the_input() -> None:
    network = Staged()
    network.stem.weight.requires_grad = False
    found = factors(network, layer_decay=0.5)
    assert found["rate_factors"] == {  # the stage that this network has not does not count
        "body.0.weight": 0.25, "body.0.bias": 0.25, "body.1.weight": 0.5, "head.weight": 1.0, "head.bias": 1.0,
    }  # fmt: skip
    assert found["decay_factors"] == {}


def test_the_last_pattern_counts_and_multiplies_the_depth() -> None:
    found = factors(Staged(), layer_decay=0.5, lr_groups=("head*=10", "*bias=3", "body.0.bias=2"))["rate_factors"]
    assert found == {
        "stem.weight": 0.125, "body.0.weight": 0.25, "body.0.bias": 0.5, "body.1.weight": 0.5, "head.weight": 10.0,
        "head.bias": 3.0,
    }  # fmt: skip


def test_a_network_without_stages_has_no_decay_over_them() -> None:
    with pytest.raises(UserError, match=r"^layer_decay is 0\.5, and this network has no stages; use lr_groups$"):
        rate_factors.of(TrainConfig(layer_decay=0.5), Staged(), ())


@pytest.mark.parametrize("key", ["lr_groups", "weight_decay_groups"])
@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("stem", "is stem; wanted PATTERN=FACTOR"),
        ("=2", "is =2; wanted PATTERN=FACTOR"),
        ("stem*=-1", r"is stem\*=-1; wanted PATTERN=FACTOR"),
        ("stem*=nan", r"is stem\*=nan; wanted PATTERN=FACTOR"),
        ("tail*=2", r"is tail\*, which no trained parameter matches; they are stem.weight"),
    ],
)
def test_groups_that_cannot_be(key: str, word: str, wanted: str) -> None:
    with pytest.raises(UserError, match=f"^{key} {wanted}"):
        factors(Staged(), **{key: (word,)})
