"""Checkpoints: the round trip, damage, files of other networks, and what is missing, unexpected or misshapen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support import weight_files
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import files
from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.train_step import TrainStep

SMALL: dict[str, Any] = {"block_config": (1, 1), "growth_rate": 2, "init_features": 4}
META = {
    "network": SPEC.name,
    "options": {**SMALL, "flavour": "zoo"},
    "num_classes": 3,
    "classes": ["blau", "grün", "红"],
    "preprocessing": {"image_size": [32, 32], "crop_pct": 1.0},
    "epoch": 1,
}


def small_network(classes: int = 3, **options: Any) -> nn.Cell:
    return SPEC.build(classes, **{**SMALL, **options})


def small_step(network: nn.Cell, ema_decay: float = 0.0) -> TrainStep:
    optimizer = optimizers.create("momentum", network, np.full(4, 0.1), momentum=0.9, weight_decay=0.0)
    return TrainStep(network, SmoothedCrossEntropy(3), optimizer, ema_decay=ema_decay)


def save(path: Path, cell: nn.Cell, **meta: Any) -> Path:
    checkpoint_file.save_checkpoint(
        path, {parameter.name: parameter for parameter in cell.get_parameters()}, {**META, **meta}
    )
    return path


def randomise(cell: nn.Cell, seed: int) -> None:
    random = np.random.default_rng(seed)
    for parameter in cell.get_parameters():
        parameter.set_data(Tensor(random.normal(0, 1, parameter.shape).astype(np.float32), parameter.dtype))


def values(cell: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in cell.get_parameters()}


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def refused(path: Path, network: nn.Cell | None = None) -> str:
    """The message with which a file is refused; the network has not changed."""
    network = network or small_network()
    before = values(network)
    with pytest.raises(UserError) as caught:
        loading.load_into(network, checkpoint_file.read_checkpoint(path, SPEC))
    assert_same(values(network), before)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint of a small network's training step without averaged weights."""
    network = small_network()
    randomise(network, 1)
    return save(tmp_path_factory.mktemp("good") / "good.ckpt", small_step(network)).read_bytes()


def test_round_trip_keeps_weights_state_and_facts(tmp_path: Path) -> None:
    step = small_step(small_network(), ema_decay=0.5)
    randomise(step, 1)
    found = checkpoint_file.read_checkpoint(save(tmp_path / "a.ckpt", step), SPEC)
    assert found.origin == "mindzoo"
    assert found.classes == ["blau", "grün", "红"]
    assert {name: found.meta[name] for name in META} == json.loads(json.dumps(META))
    assert_same(found.weights, values(step.network))
    averaged = {name.removeprefix("ema."): v for name, v in values(step).items() if name.startswith("ema.")}
    assert_same(found.averaged, averaged)
    names = {*found.weights, *found.state, *(f"ema.{name}" for name in found.averaged)}
    assert names == {parameter.name for parameter in step.get_parameters()}
    plan = network_plan.plan_network(SPEC, found)
    network = SPEC.build(plan.num_classes, **plan.options)
    loading.load_into(network, found, which="raw")
    assert_same(values(network), values(step.network))
    loading.load_into(network, found)
    assert_same(values(network), averaged)


def test_the_file_is_readable_by_others_and_by_mindspore(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", small_network())
    assert path.stat().st_mode & 0o777 == 0o644
    content = ms.load_checkpoint(str(path), crc_check=True)
    assert json.loads(str(content["mindzoo"]))["classes"] == META["classes"]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", small_network())
    before = path.read_bytes()
    # A folder that cannot be replaced stands in the way of the rename, the last thing that can fail.
    (tmp_path / "b.ckpt").mkdir()
    (tmp_path / "b.ckpt" / "kept").touch()
    with pytest.raises(UserError, match=r"b\.ckpt"):
        save(tmp_path / "b.ckpt", small_network())
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ckpt", "b.ckpt", "cwd"]
    assert (tmp_path / "b.ckpt" / "kept").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.ckpt", small_network())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        save(path, small_network())
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ckpt", "cwd"]


def test_a_write_that_ctrl_c_ends_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "a.ckpt", small_network())
    assert [p.name for p in tmp_path.iterdir()] == ["cwd"]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write the checkpoint"):
        save(tmp_path / "none" / "a.ckpt", small_network())


def boundaries(content: bytes) -> list[int]:
    """Offsets at which a top-level field of the protobuf message ends: after each parameter."""
    offsets, position = [], 0
    while position < len(content):
        assert content[position] & 7 == 2  # every top-level field has a length
        position, shift, length = position + 1, 0, 0
        while True:
            byte = content[position]
            length |= (byte & 127) << shift
            position, shift = position + 1, shift + 7
            if byte < 128:
                break
        position += length
        offsets.append(position)
        if content[position : position + 7] == b"crc_num":
            break
    return offsets


def test_every_truncation_is_refused(tmp_path: Path, good: bytes) -> None:
    ends = boundaries(good)
    assert len(ends) > 20
    steps = [len(good) * i // 12 for i in range(12)]
    network, path = small_network(), tmp_path / "cut.ckpt"
    accepted = []
    for length in sorted({*ends, *steps, *(end + 1 for end in ends[:3]), 1, len(good) - 1} - {len(good)}):
        path.write_bytes(good[:length])
        before = values(network)
        try:
            loading.load_into(network, checkpoint_file.read_checkpoint(path, SPEC))
            accepted.append(length)
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert_same(values(network), before)
    assert accepted == [], f"of {len(good)} bytes; parameters end at {ends[-4:]}"


def test_every_flipped_bit_is_refused(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "flipped.ckpt"
    accepted = []
    for offset in np.linspace(3, len(good) - 30, 25).astype(int):
        damaged = bytearray(good)
        damaged[offset] ^= 16
        path.write_bytes(damaged)
        try:
            loading.load_into(small_network(), checkpoint_file.read_checkpoint(path, SPEC))
            accepted.append(int(offset))
        except UserError:
            pass
    assert accepted == []


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.ckpt", b"", "is empty"),
        ("text.ckpt", b"these are no weights\n" * 40, "damaged"),
        ("zeros.ckpt", bytes(2000), "damaged"),
        ("text.safetensors", b"these are no weights\n" * 40, "damaged"),
        ("empty.safetensors", b"", "is empty"),
        ("weights.pth", b"PK", "it is a text"),
        ("weights", b"\1\2\3\4", "it begins with b'\\x01"),
    ],
)
def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert word in refused(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "missing" in refused(tmp_path / "none.ckpt")
    (tmp_path / "folder.ckpt").mkdir()
    assert "a folder" in refused(tmp_path / "folder.ckpt")


def test_a_file_without_its_last_parameters_is_refused(tmp_path: Path) -> None:
    rows = {parameter.name: parameter for parameter in small_network().get_parameters()}
    fewer = [{"name": name, "data": value} for name, value in list(rows.items())[:-2]]
    count = {"name": checkpoint_file.COUNT, "data": ms.Tensor(len(rows), ms.int32)}
    text = json.dumps(META)
    ms.save_checkpoint([count, *fewer], str(tmp_path / "a.ckpt"), append_dict={"mindzoo": text}, crc_check=True)
    assert f"incomplete, with {len(fewer)} of {len(rows)}" in refused(tmp_path / "a.ckpt")


@pytest.mark.parametrize("counted", [True, False])
def test_an_own_checkpoint_without_its_checksum_is_refused(tmp_path: Path, counted: bool) -> None:
    weights = weight_files.tiny_weights()
    count = {checkpoint_file.COUNT: np.int32(len(weights))} if counted else {}
    content = weight_files.ckpt({**count, **weights}, {"mindzoo": json.dumps(weight_files.META)}, checksum=False)
    (tmp_path / "a.ckpt").write_bytes(content)
    assert "the checksum at its end is missing" in refused(tmp_path / "a.ckpt")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.ckpt", small_network(), network="inceptionv3")
    assert "of inceptionv3, not of densenet121" in refused(tmp_path / "a.ckpt")


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    found = checkpoint_file.read_checkpoint(save(tmp_path / "a.ckpt", small_network()), SPEC)
    with pytest.raises(UserError, match="has 3 classes; wanted 7"):
        network_plan.plan_network(SPEC, found, num_classes=7)
    message = refused(tmp_path / "a.ckpt", small_network(7))
    assert "2 of another shape" in message
    assert "head.fc.weight (3, " in message


def test_missing_unexpected_and_misshapen_parameters_are_counted() -> None:
    network = small_network()
    rows = {parameter.name: parameter for parameter in network.get_parameters()}
    total = len(rows)
    for name in list(rows)[:3]:
        rows.pop(name)
    rows["extra.one"] = rows["extra.two"] = Parameter(Tensor([1.0]))
    rows["head.fc.bias"] = Parameter(Tensor(np.zeros(9, np.float32)))
    checkpoint_file.save_checkpoint(Path("a.ckpt"), rows, META)
    message = refused(Path("a.ckpt"), network)
    assert f"{total - 4} of {total} parameters match" in message
    for words in ("3 missing (backbone.features.conv0.weight", "2 unexpected (extra.one and 1 more)"):
        assert words in message
    assert "1 of another shape (head.fc.bias (9,) instead of (3,))" in message


def test_files_of_the_original_zoo_are_read(tmp_path: Path) -> None:
    network, other = small_network(), small_network()
    randomise(network, 4)
    rows = [{"name": f"network.{name}", "data": Tensor(value)} for name, value in values(network).items()]
    rows.append({"name": "moments.network.head.fc.bias", "data": Tensor([1.0])})
    rows.append({"name": "global_step", "data": Tensor([7])})
    ms.save_checkpoint(rows, str(tmp_path / "zoo.ckpt"))
    found = checkpoint_file.read_checkpoint(tmp_path / "zoo.ckpt", SPEC)
    assert (found.origin, found.classes) == ("zoo", [])
    assert network_plan.plan_network(SPEC, found).options["flavour"] == "zoo"
    assert network_plan.plan_network(SPEC, found).num_classes == 3
    loading.load_into(other, found)
    assert_same(values(other), values(network))


def test_averaged_weights_are_taken_unless_raw_ones_are_wanted(trained: Trained) -> None:
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    assert not np.array_equal(found.averaged["head.fc.weight"], found.weights["head.fc.weight"])
    plan = network_plan.plan_network(SPEC, found)
    network = SPEC.build(plan.num_classes, **plan.options)
    loading.load_into(network, found)
    assert_same(values(network), found.averaged)
    loading.load_into(network, found, which="raw")
    assert_same(values(network), found.weights)


@pytest.mark.parametrize(("saved", "wanted", "word"), [(0.0, 0.5, "missing"), (0.5, 0.0, "unexpected")])
def test_restore_refuses_other_averaging(tmp_path: Path, saved: float, wanted: float, word: str) -> None:
    found = checkpoint_file.read_checkpoint(save(tmp_path / "a.ckpt", small_step(small_network(), saved)), SPEC)
    step = small_step(small_network(), wanted)
    before = values(step)
    with pytest.raises(UserError, match=rf"{word} \(ema\..*resume with the settings"):
        loading.restore(step, found)
    assert_same(values(step), before)


def test_restore_gives_every_parameter_but_the_rates(tmp_path: Path) -> None:
    first, second = small_step(small_network(), 0.5), small_step(small_network(), 0.5)
    randomise(first, 1)
    loading.restore(second, checkpoint_file.read_checkpoint(save(tmp_path / "a.ckpt", first), SPEC))
    wanted, found = values(first), values(second)
    assert not np.array_equal(found.pop("learning_rate"), wanted.pop("learning_rate"))
    assert_same(found, wanted)


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
    shutil.copy(tmp_path / "a", tmp_path / "b")
    assert files.sha256(tmp_path / "a") == files.sha256(tmp_path / "b")
