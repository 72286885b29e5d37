"""What a file says of itself is held against its keys and its weights before anything is done by it."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models import create_model, get_spec
from mindzoo.tests.support import weight_files
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import LONGEST_LINE, UserError

WEIGHTS = weight_files.tiny_weights()
HEAD = {"head.fc.bias": np.zeros(3, np.float32)}


def refused(path: Path) -> str:
    """The sentence with which a file is refused, soon and without memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(UserError) as caught:
        create_model("densenet121", checkpoint=path)
    assert time.monotonic() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert len(said) <= LONGEST_LINE
    return said


def options(**other: Any) -> dict[str, Any]:
    return {"options": {**weight_files.OPTIONS, **other}}


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "another network": ({"network": "inceptionv3"}, "of inceptionv3, not of densenet121"),
    "a list as network": ({"network": ["densenet121"]}, "does not say of which network"),
    "options that are none": ({"options": [1]}, "options is [1], and is to be a mapping"),
    "no options": ({"options": None}, "options is None"),
    "an unknown option": (options(x=1), "options has x"),
    "an option of another type": (options(growth_rate="2"), "growth_rate is 2"),
    "an option out of range": (options(growth_rate=0), "growth_rate is 0"),
    "an option beyond all numbers": (options(growth_rate=1 << 80), "growth_rate is 1.20893e+24"),
    "an unknown flavour": (options(flavour="sweet"), "flavour is sweet"),
    "other weights than its options": (options(block_config=[1, 2]), "its weights are of 1,1"),
    "huge options": (options(block_config=[100_000] * 4), "its weights are of 1,1"),
    "wide options": (options(growth_rate=1 << 20, init_features=1 << 20), "and its weights are of 2"),
    "many classes": ({"num_classes": 1 << 40, "classes": []}, "says that it has 1099511627776 classes"),
    "other classes": ({"num_classes": 4}, "it says that it has 4 classes, and its classifier has 3"),
    "no classes": ({"num_classes": 0}, "num_classes is 0"),
    "negative classes": ({"num_classes": -5}, "num_classes is -5"),
    "half a class": ({"num_classes": 2.5}, "num_classes is 2.5"),
    "a truth as classes": ({"num_classes": True}, "num_classes is True"),
    "names that are none": ({"classes": 5}, "classes are 5"),
    "numbers as names": ({"classes": [1, 2, 3]}, "list of names"),
    "more names than classes": ({"classes": list("abcd")}, "4 class names for 3 outputs"),
    "a long name": ({"classes": ["x" * 5000]}, "5,000 characters in the longest name"),
    "preprocessing that is none": ({"preprocessing": 5}, "preprocessing is 5"),
    "unknown preprocessing": ({"preprocessing": {"x": 1}}, "preprocessing has x"),
    "a huge image": ({"preprocessing": {"image_size": [1 << 20, 1 << 20]}}, "image_size is"),
    "no crop": ({"preprocessing": {"crop_pct": 0.0}}, "crop_pct is 0"),
    "a side": ({"preprocessing": {"image_size": [32]}}, "is not complete"),
    "two colours": ({"preprocessing": {"mean": [0.5, 0.5]}}, "mean has 2 numbers"),
    "an epoch that is a text": ({"epoch": "x"}, "epoch is 'x'"),
    "an epoch before the first": ({"epoch": -5}, "epoch is -5"),
    "a step of another epoch": ({"epoch": 7}, "step is 15, and step 3 of 6 in epoch 7"),
    "a step behind the epoch": ({"epoch_step": 7, "step": 19}, "step 7 of 6"),
    "epochs without steps": ({"steps_per_epoch": 0}, "steps_per_epoch is 0"),
    "a best that is none": ({"best": 1}, "best is 1"),
    "a best without accuracy": ({"best": {}}, "the best accuracy is None"),
    "a loss that is no number": ({"loss_sum": float("nan")}, "loss_sum is nan"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_forged_facts_are_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    facts, words = FORGED[case]
    (tmp_path / "x.ckpt").write_bytes(weight_files.ours(WEIGHTS, **facts))
    assert words in refused(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "facts",
    [
        options(block_config=[100_000] * 4),
        options(growth_rate=1 << 20, init_features=1 << 20),
        {"num_classes": 1 << 40},
        {"num_classes": 1 << 30, **options(block_config=[1] * 4)},
    ],
    ids=str,
)
def test_a_file_of_less_than_a_kilobyte_describes_no_huge_network(tmp_path: Path, facts: dict[str, Any]) -> None:
    short = {name: value for name, value in weight_files.META.items() if name in ("network", "options", "num_classes")}
    text = json.dumps({**short, **facts}, separators=(",", ":"))
    content = weight_files.ckpt({"mindzoo.parameters": np.int32(1), **HEAD}, {"mindzoo": text})
    assert len(content) < 1024
    (tmp_path / "x.ckpt").write_bytes(content)
    refused(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "is not JSON"),
        ("", "is empty"),
        ("[]", "does not say of which network"),
        ("{}", "does not say of which network"),
        ("5", "does not say of which network"),
        ('{"format": 1}', "does not say of which network"),
        ("[" * 50_000, "levels deep"),
        ('{"a":' * 50_000, "levels deep"),
        ('{"network": ' + "9" * 5000 + "}", "5,000 characters"),
        ('{"network": "densenet121", "network": "hrnet_w48"}', "twice"),
        ('{"network": "densenet121"', "is not JSON"),
    ],
    ids=lambda text: text[:20],
)
def test_facts_that_are_none_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.ckpt").write_bytes(weight_files.ckpt({"mindzoo.parameters": np.int32(1), **HEAD}, {"mindzoo": text}))
    assert words in refused(tmp_path / "x.ckpt")


def test_a_long_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mindzoo.utils.checkpoints.metadata.MOST_CHARACTERS", 100)
    (tmp_path / "x.ckpt").write_bytes(weight_files.ours(WEIGHTS))
    assert "characters" in refused(tmp_path / "x.ckpt")


WIDE: dict[str, dict[str, tuple[int, ...]]] = {
    "wide layers": {
        "backbone.features.conv0.weight": (1 << 18, 1, 1, 1),
        "backbone.features.denseblock1.cell_list.0.conv2.weight": (1 << 18, 1, 1, 1),
    },
    "many classes": {
        "backbone.features.conv0.weight": (1 << 12, 1, 1, 1),
        "backbone.features.denseblock1.cell_list.0.conv2.weight": (1, 1, 1, 1),
        "head.fc.weight": (1 << 18, 1),
        "head.fc.bias": (1 << 18,),
    },
    "many layers": {
        "backbone.features.conv0.weight": (4, 3, 7, 7),
        **{f"backbone.features.denseblock1.cell_list.{n}.conv2.weight": (1, 1, 1, 1) for n in range(3000)},
    },
}


@pytest.mark.parametrize("case", WIDE)
@pytest.mark.parametrize("format_", [weight_files.ckpt, weight_files.safetensors])
def test_weights_that_show_a_huge_network_are_refused_before_it_is_built(
    tmp_path: Path, case: str, format_: Any
) -> None:
    (tmp_path / "x").write_bytes(format_({name: np.zeros(shape, np.float32) for name, shape in WIDE[case].items()}))
    assert "it describes a network of" in refused(tmp_path / "x")


@pytest.mark.parametrize("value", [np.zeros((0,), np.float32), np.array(1, np.float32)], ids=["empty", "a number"])
def test_arrays_without_a_shape_or_numbers_show_nothing(value: np.ndarray) -> None:
    """A shape with a zero in it would show a width that no file has to hold."""
    for name in (
        "backbone.features.conv0.weight",
        "backbone.features.denseblock1.cell_list.0.conv2.weight",
        "head.fc.bias",
    ):
        Path("x.ckpt").write_bytes(weight_files.ckpt({**WEIGHTS, name: value}))
        refused(Path("x.ckpt"))


def test_facts_of_before_are_read(tmp_path: Path) -> None:
    """Of files without some of the fields, and with losses that were no numbers."""
    old = {"evaluation": {"top1": 1, "total": 3, "loss": float("nan")}, "preprocessing": {"image_size": [32, 32]}}
    (tmp_path / "x.ckpt").write_bytes(weight_files.ours(WEIGHTS, **old))
    found = checkpoint_file.read_checkpoint(tmp_path / "x.ckpt", get_spec("densenet121"))
    assert np.isnan(found.meta["evaluation"]["loss"])
