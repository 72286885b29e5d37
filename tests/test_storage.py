"""Places of a cloud job."""

from __future__ import annotations

import pytest

from mindzoo.utils import config, storage
from mindzoo.utils.errors import UserError
from mindzoo.utils.settings import TrainConfig


def settled(*argv: str) -> config.Loaded[TrainConfig]:
    return storage.settle(config.load(TrainConfig, argv), "pretrained")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("data_url", "data_dir"),
        ("eval_data_url", "eval_data_dir"),
        ("train_url", "output_dir"),
        ("checkpoint_url", "pretrained"),
    ],
)
def test_a_place_stands_in_for_the_key_beside_it(url: str, name: str) -> None:
    loaded = settled(f"--{url}", "/here")
    assert getattr(loaded.config, name) == "/here"
    assert name in loaded.given
    assert loaded.notes() == []
    loaded = settled(f"--{url}", "/here", f"--{name}", "/there")
    assert getattr(loaded.config, name) == "/there"
    assert loaded.notes() == [f"{url} has no effect: {name} is given"]
    with pytest.raises(UserError, match=f"^{url} is s3://bucket/x, and buckets cannot be copied yet; .*--{name}$"):
        settled(f"--{url}", "s3://bucket/x")


def test_modelarts_says_that_it_has_no_effect() -> None:
    assert settled("--modelarts", "True").notes() == [
        "modelarts has no effect: copying from and to buckets is not there yet"
    ]
    assert settled().notes() == []
