"""Weights under wrappers, beside averaged ones and among other things, in each format of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models import SPECS
from mindzoo.tests.support import torch_files, weight_files
from mindzoo.utils.checkpoints import checkpoint_file, foreign_names
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.errors import UserError

WEIGHTS = weight_files.tiny_weights()
OTHER = weight_files.tiny_weights(2)
Arrays = dict[str, np.ndarray]


def tensors(arrays: Arrays, first: int = 0) -> dict[str, Any]:
    return {name: torch_files.tensor(value, str(place)) for place, (name, value) in enumerate(arrays.items(), first)}


FORMATS: dict[str, Callable[[Path, Arrays], object]] = {
    "ckpt": lambda path, arrays: path.write_bytes(weight_files.ckpt(arrays)),
    "safetensors": lambda path, arrays: path.write_bytes(weight_files.safetensors(arrays)),
    "zip": lambda path, arrays: torch_files.write_zip(path, tensors(arrays)),
    "legacy": lambda path, arrays: torch_files.write_legacy(path, tensors(arrays)),
}
NAMED: dict[str, Arrays] = {
    "torch": weight_files.of_torch(WEIGHTS),
    "zoo": WEIGHTS,
    "mindcv": weight_files.of_mindcv(WEIGHTS),
}
PREFIXES = (
    *(
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.",
        "model._orig_mod.",
        "backbone.",
        "net.",
    ),
    *(
        "network.",
        "encoder.",
        "student.",
        "student.backbone.",
        "model.module.net.",
        "classifier.",
        "features.",
        "a.b.c.d.e.",
    ),
)


@pytest.fixture
def said(logged: list[str]) -> Callable[[], str]:
    return lambda: "\n".join(line for line in logged if "checksum" not in line)


def read(path: Path) -> Checkpoint:
    spec, found = checkpoint_file.recognise(path, SPECS.values())
    assert spec.name == "densenet121"
    assert checkpoint_file.read_checkpoint(path, spec).weights.keys() == found.weights.keys()
    return found


def assert_weights(found: Checkpoint, wanted: Arrays = WEIGHTS) -> None:
    assert found.weights.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found.weights[name], value, err_msg=name)


@pytest.mark.parametrize("origin", NAMED)
@pytest.mark.parametrize("kind", FORMATS)
def test_wrappers_are_taken_off_in_every_format(
    tmp_path: Path, said: Callable[[], str], kind: str, origin: str
) -> None:
    FORMATS[kind](tmp_path / "x", NAMED[origin])
    assert_weights(read(tmp_path / "x"))
    assert "taken off" not in said()
    for number, prefix in enumerate(PREFIXES):
        path = tmp_path / f"x{number}"
        FORMATS[kind](path, {prefix + name: value for name, value in NAMED[origin].items()})
        found = read(path)
        assert_weights(found)
        assert found.origin == origin
        assert f"{path}: {prefix} is taken off the names" in said()


def test_ours_keep_their_names_whatever_these_begin_with(tmp_path: Path) -> None:
    """All but the classifier's begin with `backbone.`, which is a wrapper elsewhere."""
    headless = {name: value for name, value in WEIGHTS.items() if name.startswith("backbone.")}
    (tmp_path / "x").write_bytes(weight_files.ckpt(headless))
    assert_weights(read(tmp_path / "x"), headless)


COUNTED = np.array(3)  # int64
OF_TORCH = NAMED["torch"]


def under(prefix: str, arrays: Arrays = OF_TORCH) -> Arrays:
    return {prefix + name: value for name, value in arrays.items()}


AMONG_OTHERS: dict[str, tuple[Arrays, str]] = {
    "AveragedModel": (
        {"n_averaged": np.array(5), **under("module.")},
        "module. is taken off the names; left out: n_averaged",
    ),
    "Lightning": (
        {**under("model."), "criterion.weight": np.ones(3, np.float32), "train_acc.correct": np.array(7)},
        "model. is taken off the names; left out: criterion.weight, train_acc.correct",
    ),
    "two networks": (
        {**under("teacher.", weight_files.of_torch(OTHER)), **under("student.")},
        "student. is taken off the names; left out: teacher.features.conv0.weight",
    ),
    "with its average": (
        {**under("model."), **under("model_ema.", weight_files.of_torch(OTHER))},
        "model. is taken off the names; left out: model_ema.features.conv0.weight",
    ),
}


@pytest.mark.parametrize("case", AMONG_OTHERS)
def test_what_is_outside_of_the_wrapper_is_left_out_and_said(
    tmp_path: Path, said: Callable[[], str], case: str
) -> None:
    arrays, words = AMONG_OTHERS[case]
    (tmp_path / "x").write_bytes(weight_files.safetensors(arrays))
    assert_weights(read(tmp_path / "x"))
    assert words in said()


def counted(arrays: Arrays) -> Arrays:
    """With PyTorch's counter of each batch norm."""
    norms = [name.removesuffix("running_mean") for name in arrays if name.endswith("running_mean")]
    return {**arrays, **{f"{norm}num_batches_tracked": COUNTED for norm in norms}}


TRAININGS: dict[str, tuple[dict[str, Any], str]] = {
    "timm": (
        {"epoch": 1, "arch": "densenet121", "state_dict": tensors(OF_TORCH), "optimizer": {"state": {}}, "state_dict_ema": tensors(OF_TORCH, 99)},
        "the weights are those of state_dict; the averaged ones are those of state_dict_ema",
    ),
    "timm, averaged only": ({"state_dict_ema": tensors(OF_TORCH), "epoch": 1}, "the weights are those of state_dict_ema"),
    "torchvision": (
        {"model": tensors(counted(OF_TORCH)), "model_ema": tensors({"n_averaged": COUNTED, **under("module.")}, 99), "epoch": 1},
        "the weights are those of model; the averaged ones are those of model_ema",
    ),
    "torchvision, averaged only": (
        {"model_ema": tensors({"n_averaged": COUNTED, **under("module.")}), "epoch": 1},
        "the weights are those of model_ema; module. is taken off the names; left out: n_averaged",
    ),
    "Lightning": (
        {"state_dict": tensors({**under("model."), "loss.weight": np.ones(3, np.float32)}), "pytorch-lightning_version": "2.4.0", "hyper_parameters": {"lr": 0.1}},
        "the weights are those of state_dict; model. is taken off the names; left out: loss.weight",
    ),
    "mmpretrain": ({"meta": {"epoch": 1}, "state_dict": tensors(under("backbone."))}, "backbone. is taken off the names"),
    "DINO": (
        {"student": tensors(under("module.backbone.")), "teacher": tensors(under("module.backbone."), 99), "epoch": 3},
        "the weights are those of student; module.backbone. is taken off the names; left out: teacher",
    ),
    **{
        key: ({key: tensors(OF_TORCH), "acc": 93.1, "epoch": 7}, f"the weights are those of {key}")
        for key in ("net", "weights", "params", "model_state_dict", "model_state", "network", "module")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", TRAININGS)
def test_the_weights_in_a_training_of_pytorch_are_found(tmp_path: Path, said: Callable[[], str], case: str) -> None:
    content, words = TRAININGS[case]
    for writer in torch_files.WRITERS:
        assert_weights(read(writer(tmp_path / "x.ckpt", content)))
        assert words in said()


@pytest.mark.parametrize("wrapper", ["", "module."])
def test_averaged_weights_are_chosen_beside_others(tmp_path: Path, said: Callable[[], str], wrapper: str) -> None:
    """Those of a network of another shape are left out, and so is a teacher, which may be anybody's."""
    averaged = {f"{wrapper}{name}": value for name, value in weight_files.of_torch(OTHER).items()}
    both = {"state_dict": tensors(OF_TORCH), "state_dict_ema": tensors(averaged, 999)}
    for writer in torch_files.WRITERS:
        found = read(writer(tmp_path / "x.ckpt", both))
        assert_weights(found)
        for which, wanted in (("averaged", OTHER), ("raw", WEIGHTS)):
            chosen = found.chosen(which)
            assert chosen.keys() == wanted.keys()
            assert all(np.array_equal(chosen[name], value) for name, value in wanted.items())
        assert "left out" not in said()
    bare = {name: value for name, value in averaged.items() if "denseblock1" not in name}
    for key, others in (("state_dict_ema", bare), ("teacher", averaged)):
        assert not read(
            torch_files.WRITERS[0](tmp_path / "x.ckpt", {"state_dict": tensors(OF_TORCH), key: tensors(others, 999)})
        ).averaged
        assert f"left out: {key}" in said()


def test_names_of_no_network_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for arrays in ({"n_averaged": COUNTED}, {"": np.ones(2, np.float32)}, {"...": np.ones(2, np.float32)}, {}):
        (tmp_path / "x").write_bytes(weight_files.safetensors(arrays))
        with pytest.raises(UserError, match="holds no weights of densenet121, "):
            checkpoint_file.recognise(tmp_path / "x", SPECS.values())


def test_a_name_that_batch_norm_does_not_have_is_unexpected_and_no_error_of_ours(tmp_path: Path) -> None:
    arrays = {**OF_TORCH, "features.norm0.foo": np.ones(4, np.float32)}
    (tmp_path / "x").write_bytes(weight_files.safetensors(arrays))
    assert read(tmp_path / "x").weights.keys() == {*WEIGHTS, "backbone.features.norm0.foo"}


def test_two_names_for_one_parameter_are_not_one(tmp_path: Path) -> None:
    arrays = {**OF_TORCH, "head.fc.bias": OTHER["head.fc.bias"]}
    found = foreign_names.named(arrays, SPECS["densenet121"])
    assert SPECS["densenet121"].shown_by(found.weights) is None
