"""PyTorch's files: both formats, what training scripts save in them, and what is no such file."""

from __future__ import annotations

import argparse
import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.torch_files import (
    GRID,
    KINDS,
    STUBS,
    WEIGHTS,
    WRITERS,
    Made,
    Read,
    Storage,
    assert_same,
    refusal,
    repack,
    rewrite,
    storage,
    tensor,
    view,
    weights,
    write_legacy,
    write_zip,
)
from mindzoo.utils.checkpoints import torch_file
from mindzoo.utils.errors import UserError


def read(path: Path) -> dict[str, np.ndarray]:
    return torch_file.read_torch_file(path).arrays


@pytest.fixture(params=WRITERS, ids=["zip", "legacy"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Read:
    """Writes in one of the formats, and reads."""
    return lambda content, **options: read(request.param(tmp_path / "w.pth", content, **options))


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "V2"])
def test_types_are_kept(write: Read, kind: str, protocol: int) -> None:
    values = np.array([[0, 1, 2], [3, 100, 127]]).astype(kind)
    assert_same(write({"w": tensor(values)}, protocol=protocol), {"w": values})


def test_bfloat16_becomes_float32(write: Read) -> None:
    wanted = np.array([[1.5, -2, 0], [3e38, -np.inf, np.nan]], np.float32)
    wanted = (wanted.view("u4") >> 16 << 16).view("f4")
    raw = (wanted.view("u4") >> 16).astype("u2").tobytes()
    of = Storage("0", "BFloat16Storage", raw, 6)
    found = write({"w": view(of, 0, (2, 3), (3, 1)), "t": view(of, 0, (3, 2), (1, 3)), "s": view(of, 1, (), ())})
    assert_same(found, {"w": wanted, "t": wanted.T, "s": np.float32(-2)})


@pytest.mark.parametrize(
    ("offset", "size", "stride", "wanted"),
    [
        (0, (4, 3), (1, 4), GRID.T),
        (5, (2, 2), (4, 2), GRID[1:, 1::2]),
        (4, (4,), (1,), GRID[1]),
        (3, (), (), GRID[0, 3]),
        (0, (0, 3), (3, 1), np.zeros((0, 3), np.float32)),
        (11, (1, 1), (99, 99), GRID[2:, 3:]),
    ],
)
def test_strides(write: Read, offset: int, size: Any, stride: Any, wanted: Any) -> None:
    found = write({"w": view(storage(GRID), offset, size, stride)})
    assert_same(found, {"w": wanted})
    assert found["w"].flags.c_contiguous
    assert found["w"].flags.writeable


def test_a_tensor_may_repeat_its_numbers_where_a_checksum_shows_damage(tmp_path: Path) -> None:
    """In the format before, one bit makes such a tensor of another."""
    content = {"w": view(storage(GRID), 2, (2, 3), (0, 1))}
    assert_same(read(write_zip(tmp_path / "w.pth", content)), {"w": np.stack([GRID.ravel()[2:5]] * 2)})
    assert "repeats its numbers" in refusal(write_legacy(tmp_path / "w.pth", content))


def test_shared_storages_give_arrays_of_their_own(write: Read) -> None:
    of = storage(GRID)
    found = write({"a": view(of, 0, (3, 4), (4, 1)), "b": view(of, 4, (4,), (1,)), "c": view(of, 0, (12,), (1,))})
    found["a"][:] = 0
    assert_same(found, {"a": np.zeros_like(GRID), "b": GRID[1], "c": GRID.ravel()})


def test_shared_storages_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = storage(GRID)
    path = write_zip(tmp_path / "w.pth", {f"w{number}": view(of, number, (1,), (1,)) for number in range(9)})
    opened: list[str] = []
    original = zipfile.ZipFile.read

    def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        opened.append(info.filename)
        return original(archive, info)

    monkeypatch.setattr(zipfile.ZipFile, "read", read_member)
    assert len(read(path)) == 9
    assert opened.count("archive/data/0") == 1


@pytest.mark.parametrize("key", torch_file.WEIGHTS + torch_file.AVERAGED)
def test_state_dicts_below_a_key(write: Read, key: str) -> None:
    assert_same(write({"epoch": 3, "best": tensor(np.float32(0.5), "9"), key: weights()}), WEIGHTS)


def test_the_order_of_keys(write: Read) -> None:
    content: dict[str, Any] = {}
    order = torch_file.WEIGHTS + torch_file.AVERAGED
    for number, key in reversed(list(enumerate(order))):
        content[key] = {key: tensor(np.array([number], np.float32), key)}
        assert list(write(content)) == [key]


def test_a_key_without_tensors_is_passed_over(write: Read) -> None:
    assert_same(write({"model": "densenet121", "state_dict": {}, "network": weights()}), WEIGHTS)


def test_names_are_as_they_stand_in_the_file(write: Read) -> None:
    assert list(write({"state_dict": weights("module.")})) == [f"module.{name}" for name in WEIGHTS]


@pytest.mark.parametrize(
    ("content", "place", "averaged", "aside"),
    [
        (weights(), "", "", ()),
        ({"state_dict": weights(), "epoch": 1}, "state_dict", "", ()),
        ({"model": weights(), "model_ema": weights(), "optimizer": {"state": {}}}, "model", "model_ema", ()),
        ({"model": weights(), "ema": {"module": weights()}, "net": weights()}, "model", "ema.module", ("net",)),
        ({"student": weights(), "teacher": weights()}, "student", "", ("teacher",)),
        ({"ema": {"module": weights()}, "epoch": 1}, "ema.module", "", ()),
        ({"model": {"state_dict": {"net": weights()}}}, "model.state_dict.net", "", ()),
    ],
)
def test_the_place_of_the_weights_is_told(
    tmp_path: Path, content: Any, place: str, averaged: str, aside: tuple[str, ...]
) -> None:
    for writer in WRITERS:
        found = torch_file.read_torch_file(writer(tmp_path / "w.pth", content))
        assert (found.place, found.averaged_place, found.aside) == (place, averaged, aside)
        assert bool(found.averaged) == bool(averaged)
        assert_same(found.arrays, WEIGHTS)


def test_metadata_of_a_state_dict(write: Read) -> None:
    state = weights()
    state._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    assert_same(write(state), WEIGHTS)


@pytest.mark.parametrize("name", ["_rebuild_parameter", "_rebuild_parameter_with_state"])
def test_parameters(write: Read, name: str) -> None:
    function = STUBS["torch._utils", name]
    made = Made(function, tensor(GRID), True, collections.OrderedDict(), *([{"x": 1}] if "state" in name else []))
    assert_same(write({"w": made}), {"w": GRID})


def test_tensors_of_the_first_version(write: Read) -> None:
    made = Made(STUBS["torch._utils", "_rebuild_tensor"], storage(GRID), 0, (3, 4), (4, 1))
    assert_same(write({"w": made}), {"w": GRID})


def test_dicts_of_python_2(write: Read) -> None:
    items = [["a.weight", tensor(GRID)], ["a.bias", tensor(WEIGHTS["a.bias"], "1")]]
    assert_same(write(Made(collections.OrderedDict, items)), WEIGHTS)


@pytest.mark.parametrize("protocol", [2, 4])
def test_other_things_beside_the_weights(write: Read, protocol: int) -> None:
    beside = {
        "args": argparse.Namespace(lr=0.1, data=Path("x").name, kinds={1, 2}, sizes=frozenset([1]), raw=b"\xff"),
        "best": np.float64(71.5),
        "matrix": np.arange(9).reshape(3, 3),
        "milestones": collections.Counter([1, 2, 2]),
        "default": collections.defaultdict(list, a=[1]),
        "size": Made(STUBS["torch", "Size"], (1, 2)),
        "numbers": [None, True, False, -1, 300, 70_000, 1 << 40, 1 << 90, 0.5, "ü", (), (1, 2, 3, 4)],
        "optimizer": {"state": {0: {"step": 1, "exp_avg": tensor(GRID, "7")}}, "param_groups": [{"params": [0]}]},
    }
    assert_same(write({**beside, "state_dict": weights()}, protocol=protocol), WEIGHTS)


def test_attributes_of_what_is_allowed_change_nothing(write: Read) -> None:
    state = {"__class__": 1, "append": 2, "check": 3}
    function = STUBS["torch._utils", "_rebuild_tensor_v2"]
    made = Made(function, storage(GRID), 0, (3, 4), (4, 1), False, None, state=state)
    assert_same(write({"w": made}), {"w": GRID})
    # BUILD on the function itself, not on what it makes
    data = b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n}U\x08__code__Nsbs."
    with pytest.raises(UserError, match="no state dict"):
        write(data)
    assert_same(write({"w": tensor(GRID)}), {"w": GRID})


def test_torchscript(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pt", weights(), 2, **{"constants.pkl": b"\x80\x02)."})
    assert "TorchScript" in refusal(path)


def test_big_endian(tmp_path: Path) -> None:
    assert "big-endian" in refusal(write_zip(tmp_path / "w.pth", weights(), byteorder=b"big"))
    assert "big-endian" in refusal(write_legacy(tmp_path / "w.pth", weights(), little_endian=False))


def test_an_archive_without_byteorder_is_of_an_older_pytorch(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pth", weights())
    repack(path, lambda name, content: iter([] if "byteorder" in name else [(name, content, zipfile.ZIP_STORED)]))
    assert_same(read(path), WEIGHTS)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [], None, "text", {"model": {}}, {"a": {"b": {}}}])
def test_no_state_dict(tmp_path: Path, content: Any) -> None:
    for writer in WRITERS:
        assert "no state dict" in refusal(writer(tmp_path / "w.pth", content))


def test_a_tensor_alone_is_no_state_dict(tmp_path: Path) -> None:
    assert "no state dict" in refusal(write_zip(tmp_path / "w.pth", tensor(GRID)))
    assert "epoch, best" in refusal(write_zip(tmp_path / "w.pth", {"epoch": 1, "best": weights()}))


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>", b"\x89HDF"]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    assert "no PyTorch file" in refusal(rewrite(tmp_path / "w.pth", content))


def test_other_pickles_and_archives(tmp_path: Path) -> None:
    assert "torch.save did not" in refusal(rewrite(tmp_path / "w.pth", pickle.dumps([1]) + pickle.dumps([2])))
    np.savez(tmp_path / "w.npz", a=GRID)
    assert "torch.save did not" in refusal(tmp_path / "w.npz")


def test_missing_files(tmp_path: Path) -> None:
    assert "missing" in refusal(tmp_path / "w.pth")
    assert "a folder" in refusal(tmp_path)


def test_a_network_takes_its_weights_from_a_pth_file(tmp_path: Path) -> None:
    """timm's DenseNet-121 as torch.save writes it gives the logits of timm."""
    from mindzoo.models import create_model
    from mindzoo.tests.support.reference import assert_logits, vectors

    timm = vectors("pt_timm_densenet121")
    content = {"state_dict": {f"module.{name}": tensor(value, name) for name, value in timm.weights.items()}}
    network = create_model("densenet121", checkpoint=write_zip(tmp_path / "timm.pth.tar", content))
    assert network.flavour == "paper"
    assert_logits(network, timm)
