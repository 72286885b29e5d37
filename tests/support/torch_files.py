"""PyTorch's files written by hand, since PyTorch is not needed here.

Classes with PyTorch's names, and references to storages in place of the numbers.
"""

from __future__ import annotations

import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mindzoo.utils.checkpoints import torch_file
from mindzoo.utils.errors import UserError

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
    """What a pickle writes as `module.name`; `stubs_in_place` makes it importable."""
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


@contextmanager
def stubs_in_place() -> Iterator[None]:
    """Modules with PyTorch's names, for the pickler, which looks up what it writes."""
    fakes: dict[str, types.ModuleType] = {}
    for (module, name), made in STUBS.items():
        for depth in range(module.count(".") + 1):
            parent = ".".join(module.split(".")[: depth + 1])
            fakes.setdefault(parent, types.ModuleType(parent))
        setattr(fakes[module], name, made)
    hidden = {name: sys.modules[name] for name in fakes if name in sys.modules}
    sys.modules.update(fakes)
    try:
        yield
    finally:
        for name in fakes:
            del sys.modules[name]
        sys.modules.update(hidden)


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
    with stubs_in_place():
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
Read = Callable[..., dict[str, np.ndarray]]
WRITERS: list[Writer] = [write_zip, write_legacy]


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert found[name].dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        torch_file.read_torch_file(path)
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


def repack(path: Path, change: Callable[[str, bytes], Iterator[tuple[str, bytes, int]]]) -> Path:
    """The archive with its members changed: name, content and compression of each."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            for member in change(name, content):
                archive.writestr(member[0], member[1], compress_type=member[2])
    return path


def rewrite(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
