"""PyTorch's files: both formats, what training scripts save, damage, and pickles that are made to do harm.

The files are written by hand, since PyTorch is not needed here: classes with PyTorch's names, and references to
storages in place of the numbers.
"""

from __future__ import annotations

import argparse
import collections
import io
import pickle
import struct
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mindzoo.utils import torch_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger

KINDS = {
    **{"f2": "HalfStorage", "f4": "FloatStorage", "f8": "DoubleStorage", "V2": "BFloat16Storage", "b1": "BoolStorage"},
    **{"i1": "CharStorage", "i2": "ShortStorage", "i4": "IntStorage", "i8": "LongStorage", "u1": "ByteStorage"},
}
LEGACY_HEAD = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})


class Storage(NamedTuple):
    """Stands for torch.FloatStorage and the like: saved as a reference, with `length` numbers of which `raw` are there."""

    key: str
    kind: str
    raw: bytes
    length: int


def stub(module: str, name: str, made: Any = None) -> Any:
    """What a pickle writes as `module.name`; remembered in sys.modules by `stubs`."""
    made = made or type(name, (), {})
    made.__module__, made.__qualname__, made.__name__ = module, name, name
    STUBS[module, name] = made
    return made


STUBS: dict[tuple[str, str], Any] = {}
for _kind in KINDS.values():
    stub("torch", _kind)
for _name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state"):
    stub("torch._utils", _name, lambda *_: None)
stub("torch", "load", lambda *_: None)
stub("torch", "Size", lambda *_: None)
stub("torch.nn.modules", "Linear")


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with PyTorch's names, for the pickler, which looks up what it writes."""
    for (module, name), made in STUBS.items():
        for depth in range(module.count(".") + 1):
            parent = ".".join(module.split(".")[: depth + 1])
            if parent not in sys.modules or not hasattr(sys.modules[parent], "stub"):
                fake = types.ModuleType(parent)
                fake.stub = True  # type: ignore[attr-defined]
                monkeypatch.setitem(sys.modules, parent, fake)
        setattr(sys.modules[module], name, made)


class Made:
    """Pickled as a call of `function` with `arguments`, and perhaps a state."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.parts


def storage(values: Any, key: str = "0", **other: Any) -> Storage:
    array = np.ascontiguousarray(values)
    kind = KINDS[array.dtype.str[1:]]
    return Storage(key, kind, array.tobytes(), array.size)._replace(**other)


def view(of: Storage, offset: int, size: Any, stride: Any) -> Made:
    function = STUBS["torch._utils", "_rebuild_tensor_v2"]
    return Made(function, of, offset, size, stride, False, collections.OrderedDict())


def tensor(values: Any, key: str = "0") -> Made:
    array = np.asarray(values)
    steps = tuple(step // array.itemsize for step in np.empty(array.shape, array.dtype).strides)
    return view(storage(array, key), 0, array.shape, steps)


class Pickler(pickle.Pickler):
    """Writes storages as references and remembers them."""

    def __init__(self, file: Any, protocol: int, legacy: bool) -> None:
        super().__init__(file, protocol)
        self.legacy = legacy
        self.storages: dict[str, Storage] = {}

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        self.storages[obj.key] = obj
        reference = ("storage", STUBS["torch", obj.kind], obj.key, "cpu", obj.length)
        return (*reference, None) if self.legacy else reference


def pickled(content: Any, protocol: int = 2, legacy: bool = False) -> tuple[bytes, dict[str, Storage]]:
    file = io.BytesIO()
    pickler = Pickler(file, protocol, legacy)
    pickler.dump(content)
    return file.getvalue(), pickler.storages


def write_zip(path: Path, content: Any, protocol: int = 2, **more: Any) -> Path:
    """As torch.save; a `content` of bytes is the pickle itself, and `more` are other members."""
    data, storages = (content, {}) if isinstance(content, bytes) else pickled(content, protocol)
    members = {"data.pkl": data, "byteorder": b"little", **{f"data/{k}": s.raw for k, s in storages.items()}, **more}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in members.items():
            archive.writestr(f"archive/{name}", value)
    return path


def write_legacy(path: Path, content: Any, protocol: int = 2, little_endian: bool = True) -> Path:
    """As torch.save before 1.6."""
    data, storages = (content, {}) if isinstance(content, bytes) else pickled(content, protocol, legacy=True)
    magic, version, system = LEGACY_HEAD
    head = (magic, version, {**system, "little_endian": little_endian})
    parts = [pickle.dumps(value, protocol) for value in head] + [data, pickle.dumps(sorted(storages), protocol)]
    parts += [struct.pack("<q", storages[key].length) + storages[key].raw for key in sorted(storages)]
    path.write_bytes(b"".join(parts))
    return path


Writer = Callable[..., Path]
WRITERS: list[Writer] = [write_zip, write_legacy]


@pytest.fixture(params=WRITERS, ids=["zip", "legacy"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., dict[str, np.ndarray]]:
    """Writes in one of the formats, and reads."""
    return lambda content, **options: torch_file.read(request.param(tmp_path / "w.pth", content, **options))


Read = Callable[..., dict[str, np.ndarray]]


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert found[name].dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        torch_file.read(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "wanted" in message or "save the weights anew" in message
    return message


GRID = np.arange(12, dtype=np.float32).reshape(3, 4)
WEIGHTS = {"a.weight": GRID, "a.bias": np.ones(4, np.float32)}


def weights(prefix: str = "") -> collections.OrderedDict[str, Made]:
    names = enumerate(WEIGHTS.items())
    return collections.OrderedDict((prefix + name, tensor(value, f"{number}")) for number, (name, value) in names)


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
        (2, (2, 3), (0, 1), np.stack([GRID.ravel()[2:5]] * 2)),
        (0, (0, 3), (3, 1), np.zeros((0, 3), np.float32)),
        (11, (1, 1), (99, 99), GRID[2:, 3:]),
    ],
)
def test_strides(write: Read, offset: int, size: Any, stride: Any, wanted: Any) -> None:
    found = write({"w": view(storage(GRID), offset, size, stride)})
    assert_same(found, {"w": wanted})
    assert found["w"].flags.c_contiguous
    assert found["w"].flags.writeable


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

    def read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        opened.append(info.filename)
        return original(archive, info)

    monkeypatch.setattr(zipfile.ZipFile, "read", read)
    assert len(torch_file.read(path)) == 9
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


def test_module_is_taken_away_where_all_have_it(write: Read) -> None:
    assert_same(write({"state_dict": weights("module.")}), WEIGHTS)
    mixed = {"module.a": tensor(GRID), "b": tensor(GRID[0], "1")}
    assert list(write(mixed)) == ["module.a", "b"]


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


def test_the_legacy_format_is_said_to_have_no_checksum(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    torch_file.read(write_legacy(tmp_path / "old.pth", weights()))
    assert "old.pth" in caplog.text
    assert "checksum" in caplog.text
    caplog.clear()
    torch_file.read(write_zip(tmp_path / "new.pth", weights()))
    assert not caplog.text


class Harm:
    """Unpickling it with Python's own unpickler calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


def harmful(sentinel: Path) -> Iterator[tuple[str, bytes]]:
    """Names of what is to be refused, and pickles that make the file `sentinel` or would do worse."""
    touch = f"touch {sentinel}"
    yield "posix.system", pickled({"w": Harm(__import__("os").system, touch)})[0]
    yield "os.system", f"\x80\x02cos\nsystem\n(S'{touch}'\ntR.".encode("latin-1")
    yield "os.system", f"\x80\x02(S'{touch}'\nios\nsystem\n.".encode("latin-1")
    yield "builtins.eval", pickled(Harm(eval, f"open({str(sentinel)!r}, 'w')"), 4)[0]
    yield "__builtin__.exec", pickled(Harm(exec, f"open({str(sentinel)!r}, 'w')"))[0]
    yield "subprocess.Popen", pickled(Harm(subprocess.Popen, ["touch", str(sentinel)]), 4)[0]
    yield "builtins.getattr", b"\x80\x04cbuiltins\ngetattr\ncbuiltins\n__import__\n\x8c\x02os\x85R\x8c\x06system\x86R."
    yield "torch.load", pickled({"w": Harm(STUBS["torch", "load"], str(sentinel))})[0]
    yield "torch.nn.modules.Linear", pickled({"w": STUBS["torch.nn.modules", "Linear"]()})[0]
    yield "collections.OrderedDict.__init__", b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93."
    yield "torch._utils.__builtins__", b"\x80\x02ctorch._utils\n__builtins__\n."
    yield "EXT1", b"\x80\x02\x82\x01."
    yield "PERSID", b"\x80\x02Pstorage\n."


@pytest.mark.parametrize("number", range(13))
@pytest.mark.parametrize("writer", WRITERS)
def test_harmful_pickles_are_refused_by_name(tmp_path: Path, writer: Writer, number: int) -> None:
    sentinel = tmp_path / "sentinel"
    name, data = list(harmful(sentinel))[number]
    message = refusal(writer(tmp_path / "w.pth", data))
    assert name in message or f"INST {name.replace('.', ' ')}" in message
    assert not sentinel.exists()


def test_harm_beside_good_weights_is_refused(tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    content = {"state_dict": weights(), "args": Harm(__import__("os").system, f"touch {sentinel}")}
    assert "posix.system" in refusal(write_zip(tmp_path / "w.pth", content))
    assert not sentinel.exists()


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


NESTED = 25_000
ATTACKS = {
    "lists": b"]" * NESTED + b"a" * (NESTED - 1) + b".",
    "tuples": b")" + b"\x85" * NESTED + b".",
    "a tuple as key": b"})" + b"\x85" * NESTED + b"Ns.",
    "a tuple as name": b")" + b"\x85" * NESTED + b"U\x01x\x93.",
    "a tuple to call": b")" + b"\x85" * NESTED + b")R.",
    "a tuple as storage": b"(U\x07storage)" + b"\x85" * NESTED + b"U\x010U\x03cpuK\x01tQ.",
    "a tree as name": b")" + b"q\x00h\x00\x86" * 90 + b"U\x01x\x93.",
    "marks": b"(" * NESTED + b".",
    "a huge text": b"\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
    "huge bytes": b"\x8e" + struct.pack("<Q", (1 << 63) - 1) + b"x.",
    "a huge frame": b"\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "a huge number": b"\x8b" + struct.pack("<i", (1 << 31) - 1) + b"1.",
    "a huge place in the memo": b"Nr" + struct.pack("<I", (1 << 32) - 1) + b".",
    "nothing on the stack": b"0.",
    "no mark": b"t.",
    "a dict in itself": b"}q\x00U\x05modelh\x00s.",
    "a list in itself": b"]q\x00h\x00a.",
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_pickles_that_exhaust(tmp_path: Path, writer: Writer, attack: str) -> None:
    refusal(writer(tmp_path / "w.pth", b"\x80\x04" + ATTACKS[attack]))


def test_pickles_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "MOST_STEPS", 1000)
    assert "1000 steps" in refusal(write_zip(tmp_path / "w.pth", b"\x80\x02" + b"]" * 1001 + b"."))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (13,), (1,)),
        (12, (1,), (1,)),
        (0, (2,), (12,)),
        (0, (2,), (1 << 61,)),
        (0, (2,), (1 << 70,)),
        (1 << 61, (1,), (1,)),
        (0, (1 << 40,), (0,)),
        (0, (1 << 20, 1 << 20, 1 << 20), (0, 0, 0)),
        (0, (0, 1 << 61, 1 << 61), (1, 1, 1)),
        (0, (2, 2), (1,)),
        (0, (2.0,), (1,)),
        (0, (True,), (1,)),
        (0, 3, 1),
        (0, "abc", "abc"),
        (0, (1,) * 70, (1,) * 70),
    ],
)
def test_impossible_tensors(tmp_path: Path, offset: int, size: Any, stride: Any) -> None:
    for writer in WRITERS:
        refusal(writer(tmp_path / "w.pth", {"w": view(storage(GRID), offset, size, stride)}))


def test_storages_of_another_size_than_described(tmp_path: Path) -> None:
    for count in (-1, 11, 13, 1 << 61, 1 << 80):
        of = storage(GRID, length=count)
        refusal(write_zip(tmp_path / "w.pth", {"w": view(of, 0, (1,), (1,))}))
    short = storage(GRID, length=13)  # its last number is not in the file
    refusal(write_legacy(tmp_path / "w.pth", {"w": view(short, 0, (4,), (1,))}))


def test_one_storage_of_two_types(tmp_path: Path) -> None:
    content = {"a": tensor(GRID, "0"), "b": tensor(GRID.astype("i4"), "0")}
    assert "two ways" in refusal(write_zip(tmp_path / "w.pth", content))


def test_a_tensor_without_storage(tmp_path: Path) -> None:
    refusal(write_zip(tmp_path / "w.pth", {"w": view(("0", "f4", 3), 0, (1,), (1,))}))  # type: ignore[arg-type]


def test_conjugated_tensors(tmp_path: Path) -> None:
    function = STUBS["torch._utils", "_rebuild_tensor_v2"]
    made = Made(function, storage(GRID), 0, (3, 4), (4, 1), False, None, {"neg": True})
    assert "negated" in refusal(write_zip(tmp_path / "w.pth", {"w": made}))


def repack(path: Path, change: Callable[[str, bytes], Iterator[tuple[str, bytes, int]]]) -> Path:
    """The archive with its members changed: name, content and compression of each."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            for member in change(name, content):
                archive.writestr(member[0], member[1], compress_type=member[2])
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_torch_does_not_write(tmp_path: Path) -> None:
    def changed(change: Callable[[str, bytes], list[tuple[str, bytes, int]]]) -> str:
        path = write_zip(tmp_path / "w.pth", weights())
        return refusal(repack(path, lambda name, content: iter(change(name, content))))

    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    assert "twice" in changed(lambda name, content: [(name, content, stored)] * 2)
    assert "twice" in changed(lambda name, content: [(name, content, stored), (f"b{name}", content, stored)])
    assert "compressed" in changed(lambda name, content: [(name, content, deflated)])
    bomb = bytes(50 << 20)
    assert "compressed" in changed(lambda name, _: [(name, bomb if "data/0" in name else _, deflated)])
    assert "data/1" in changed(lambda name, content: [] if name.endswith("data/1") else [(name, content, stored)])
    assert "did not write" in changed(lambda name, content: [(name.replace("data.pkl", "x"), content, stored)])


def test_members_that_overlap(tmp_path: Path) -> None:
    """Two entries of the directory that point to the same megabyte, each of them with its right checksum."""
    size = 1 << 20
    of = [Storage(str(number), "ByteStorage", bytes(size), size) for number in range(2)]
    path = write_zip(tmp_path / "w.pth", {s.key: view(s, 0, (size,), (1,)) for s in of})
    assert len(torch_file.read(path)) == 2
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("archive/data/0").header_offset
        end = archive.getinfo("archive/data/1").header_offset
        start = archive.start_dir
    data = path.read_bytes()
    directory = data[start:].replace(
        struct.pack("<I", end) + b"archive/data/1", struct.pack("<I", place) + b"archive/data/1"
    )
    short = data[:end] + directory
    assert "said to have" in refusal(_rewrite(path, short[:-6] + struct.pack("<IH", end, 0)))


def _rewrite(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_torchscript(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pt", weights(), 2, **{"constants.pkl": b"\x80\x02)."})
    assert "TorchScript" in refusal(path)


def test_big_endian(tmp_path: Path) -> None:
    assert "big-endian" in refusal(write_zip(tmp_path / "w.pth", weights(), byteorder=b"big"))
    assert "big-endian" in refusal(write_legacy(tmp_path / "w.pth", weights(), little_endian=False))


def test_an_archive_without_byteorder_is_of_an_older_pytorch(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pth", weights())
    repack(path, lambda name, content: iter([] if "byteorder" in name else [(name, content, zipfile.ZIP_STORED)]))
    assert_same(torch_file.read(path), WEIGHTS)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [], None, "text", {"model": {}}, {"a": {"b": {}}}])
def test_no_state_dict(tmp_path: Path, content: Any) -> None:
    for writer in WRITERS:
        assert "no state dict" in refusal(writer(tmp_path / "w.pth", content))


def test_a_tensor_alone_is_no_state_dict(tmp_path: Path) -> None:
    assert "no state dict" in refusal(write_zip(tmp_path / "w.pth", tensor(GRID)))
    assert "epoch, weights" in refusal(write_zip(tmp_path / "w.pth", {"epoch": 1, "weights": weights()}))


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>", b"\x89HDF"]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    assert "no PyTorch file" in refusal(_rewrite(tmp_path / "w.pth", content))


def test_other_pickles_and_archives(tmp_path: Path) -> None:
    assert "torch.save did not" in refusal(_rewrite(tmp_path / "w.pth", pickle.dumps([1]) + pickle.dumps([2])))
    np.savez(tmp_path / "w.npz", a=GRID)
    assert "torch.save did not" in refusal(tmp_path / "w.npz")


def test_missing_files(tmp_path: Path) -> None:
    assert "missing" in refusal(tmp_path / "w.pth")
    assert "a folder" in refusal(tmp_path)


def read_or_refuse(path: Path, data: bytes, wanted: dict[str, Any]) -> bool:
    """Whether `data` is refused; otherwise it must give what is wanted."""
    path.write_bytes(data)
    try:
        found = torch_file.read(path)
    except UserError:
        return True
    assert_same(found, wanted)
    return False


@pytest.mark.parametrize("writer", WRITERS)
def test_truncated_files(tmp_path: Path, writer: Writer) -> None:
    data = writer(tmp_path / "w.pth", weights()).read_bytes()
    cuts = range(0, len(data), 3)
    refused = [read_or_refuse(tmp_path / "cut.pth", data[:cut], WEIGHTS) for cut in cuts]
    assert all(refused)
    assert read_or_refuse(tmp_path / "cut.pth", data[:-1], WEIGHTS)


def test_flipped_bits_in_an_archive(tmp_path: Path) -> None:
    data = write_zip(tmp_path / "w.pth", weights()).read_bytes()
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        refused = read_or_refuse(tmp_path / "flipped.pth", bytes(flipped), WEIGHTS)
        in_numbers = any(
            data.find(value.tobytes()) <= position < data.find(value.tobytes()) + value.nbytes
            for value in WEIGHTS.values()
        )
        assert refused or not in_numbers


def test_flipped_bits_in_the_legacy_format_end_in_words(tmp_path: Path) -> None:
    data = write_legacy(tmp_path / "w.pth", weights()).read_bytes()
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        try:
            torch_file.read(_rewrite(tmp_path / "flipped.pth", bytes(flipped)))
        except UserError as error:
            assert "flipped.pth" in str(error)  # noqa: PT017 - without a checksum it may be read as well


def test_a_network_takes_its_weights_from_a_pth_file(tmp_path: Path) -> None:
    """timm's DenseNet-121 as torch.save writes it gives the logits of timm."""
    from mindzoo.models import create_model
    from mindzoo.tests.test_densenet121 import assert_logits, vectors

    timm = vectors("pt_timm_densenet121")
    content = {"state_dict": {f"module.{name}": tensor(value, name) for name, value in timm.weights.items()}}
    network = create_model("densenet121", checkpoint=write_zip(tmp_path / "timm.pth.tar", content))
    assert network.flavour == "paper"
    assert_logits(network, timm)
