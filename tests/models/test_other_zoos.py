"""Weights by the names of mindcv and mmpretrain, which are ours by a rule; and how large a network is at least."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from mindzoo import cli
from mindzoo.models import SPECS, create_model, get_spec, list_models
from mindzoo.tests.models.test_models import filled, options
from mindzoo.tests.support.networks import weights_of
from mindzoo.tests.support.weight_files import ckpt, in_torch_words, of_mindcv, safetensors
from mindzoo.utils.checkpoints import checkpoint_file

Arrays = dict[str, np.ndarray]
# Of HRNet's head; other zoos have none there.
BIASES = re.compile(r"(downsamp_modules\.\d+|final_layer)\.0\.bias")


def renamed(weights: Arrays, *rules: tuple[str, str]) -> Arrays:
    """By other names, with PyTorch's words for batch norm: each rule replaces what matches."""
    found = {}
    for name, value in weights.items():
        for pattern, other in rules:
            name = re.sub(pattern, other, name)
        found[in_torch_words(name)] = value
    return found


def hrnet_of_mindcv(weights: Arrays) -> Arrays:
    words = {".downsample.": ".down_sample.", "downsamp_modules": "downsample_modules"}
    found = {}
    for name, value in weights.items():
        for ours, theirs in words.items():
            name = name.replace(ours, theirs)
        found[name] = value
    return found


def densenet_of_mmpretrain(weights: Arrays) -> Arrays:
    blocks = max(int(number) for name in weights for number in re.findall(r"denseblock(\d+)", name))
    numbered = [
        rule
        for number in range(1, blocks + 1)
        for rule in (
            (rf"features\.denseblock{number}\.cell_list", f"stages.{number - 1}.block"),
            (rf"features\.transition{number}\.features", f"transitions.{number - 1}"),
        )
    ]
    ends = [
        (r"features\.conv0", "stem.0"),
        (r"features\.norm0", "stem.1"),
        (r"features\.norm5", f"transitions.{blocks - 1}.0"),
    ]
    return renamed(weights, *numbered, *ends)


def hrnet_of_mmpretrain(weights: Arrays) -> Arrays:
    return renamed(
        weights,
        (r"^(conv\d|bn\d|layer1|transition\d|stage\d)\.", r"backbone.\1."),
        (r"^incre_modules", "neck.increase_layers"),
        (r"^downsamp_modules\.(\d+)\.0", r"neck.downsample_layers.\1.conv"),
        (r"^downsamp_modules\.(\d+)\.1", r"neck.downsample_layers.\1.bn"),
        (r"^final_layer\.0", "neck.final_layer.conv"),
        (r"^final_layer\.1", "neck.final_layer.bn"),
        (r"^classifier", "head.fc"),
    )


def resnet_of_mmpretrain(weights: Arrays) -> Arrays:
    without = {name: value for name, value in weights.items() if name != "pool.p"}
    shortcut, classifier = (r"down_sample_layer", "downsample"), (r"^backbone\.end_point", "head.fc")
    return renamed(without, shortcut, (r"^", "backbone."), classifier)


CASES: dict[str, tuple[str, str, Callable[[Arrays], Arrays]]] = {
    "densenet121 of mindcv": ("densenet121", "mindcv", of_mindcv),
    "hrnet_w48 of mindcv": ("hrnet_w48", "mindcv", hrnet_of_mindcv),
    "densenet121 of mmpretrain": ("densenet121", "torch", densenet_of_mmpretrain),
    "hrnet_w48 of mmpretrain": ("hrnet_w48", "torch", hrnet_of_mmpretrain),
    "resnet50 of mmpretrain": ("multigrain", "torch", resnet_of_mmpretrain),
}


def small(name: str) -> nn.Cell:
    flavour = {"flavour": "paper"} if "flavour" in get_spec(name).options else {}
    network = filled(create_model(name, 3, **{**options(name), **flavour}))
    for parameter in network.get_parameters():
        if BIASES.fullmatch(parameter.name):
            parameter.set_data(ms.Tensor(np.zeros(parameter.shape, np.float32)))
    return network


@pytest.mark.parametrize("case", CASES)
def test_networks_of_other_zoos_are_recognised_and_whole(tmp_path: Path, case: str) -> None:
    name, origin, rename = CASES[case]
    network = small(name)
    wanted = weights_of(network)
    arrays = rename({key: value for key, value in wanted.items() if not BIASES.fullmatch(key)})
    assert arrays.keys() != wanted.keys()
    path = tmp_path / "x"
    path.write_bytes(ckpt(arrays) if origin == "mindcv" else safetensors(arrays))
    spec, found = checkpoint_file.recognise(path, SPECS.values())
    assert (spec.name, found.origin) == (name, origin)
    loaded = create_model(name, checkpoint=path)
    assert getattr(loaded, "flavour", "paper") == "paper"
    for key, value in weights_of(loaded).items():
        if key != "pool.p":  # which no ResNet has
            np.testing.assert_array_equal(value, wanted[key], err_msg=key)


def test_biases_that_are_there_are_kept(tmp_path: Path) -> None:
    """And a file that lacks one of several is not completed."""
    network = filled(create_model("hrnet_w48", 3, **options("hrnet_w48")))
    arrays = hrnet_of_mindcv(weights_of(network))
    (tmp_path / "x").write_bytes(ckpt(arrays))
    found = checkpoint_file.read_checkpoint(tmp_path / "x", get_spec("hrnet_w48"))
    np.testing.assert_array_equal(found.weights["final_layer.0.bias"], arrays["final_layer.0.bias"])
    del arrays["final_layer.0.bias"]
    (tmp_path / "x").write_bytes(ckpt(arrays))
    found = checkpoint_file.read_checkpoint(tmp_path / "x", get_spec("hrnet_w48"))
    assert "final_layer.0.bias" not in found.weights


def test_what_is_taken_for_zero_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {key: value for key, value in weights_of(small("hrnet_w48")).items() if not BIASES.fullmatch(key)}
    (tmp_path / "x.ckpt").write_bytes(ckpt(hrnet_of_mindcv(arrays)))
    assert cli.main(["convert", str(tmp_path / "x.ckpt"), str(tmp_path / "y.ckpt")]) == 0
    said = capsys.readouterr().out
    assert "0 is taken for downsamp_modules.0.0.bias, " in said
    assert "which that network does not have" in said
    assert "weights of origin mindcv" in said


@pytest.mark.parametrize("name", list_models())
def test_a_network_is_as_large_as_is_said_of_it_at_least(name: str) -> None:
    network = create_model(name, 7, **options(name))
    weights = weights_of(network)
    shown = get_spec(name).shown_by(weights)
    assert shown is not None
    parameters, numbers = get_spec(name).at_least(shown, 7)
    assert len(weights) / 4 < parameters <= len(weights)
    assert sum(value.size for value in weights.values()) / 8 < numbers <= sum(value.size for value in weights.values())
