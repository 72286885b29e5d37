"""PyTorch's checkpoint files (.pth, .pth.tar, .bin), read into NumPy arrays without PyTorch.

Such a file is a pickle, which is a program, with the numbers that it refers to. A machine that knows dicts, lists and
tensors interprets it here; it imports and calls nothing, and refuses every name that is not listed below. Both formats
are read: the zip archive of PyTorch 1.6 and newer, with checksums, and the one before, without.
"""

from __future__ import annotations

import functools
import io
import math
import os
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from mindzoo.utils.checkpoints.number_types import BFLOAT16, MOST_ENTRIES, widened
from mindzoo.utils.errors import UserError, shorten

K = TypeVar("K")
# Where training scripts put the weights, in the order in which they are looked for. A file that is itself a dict of
# tensors comes after WEIGHTS, and the averaged weights are the weights only where there are no others.
WEIGHTS = (
    *(
        "state_dict",
        "model",
        "model_state",
        "network",
        "model_state_dict",
        "net",
        "net_state_dict",
        "weights",
        "params",
    ),
    *("module", "student"),
)
AVERAGED = ("model_ema", "state_dict_ema", "ema", "ema_state_dict", "ema_model", "params_ema", "teacher")
TEACHER = "teacher"  # the average of a student, or another network that it learns from
MOST_LEVELS = 3  # dicts in each other, down to the one with the weights

STORAGES = {
    **{"HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8", "BFloat16Storage": BFLOAT16},
    **{"CharStorage": "i1", "ShortStorage": "<i2", "IntStorage": "<i4", "LongStorage": "<i8", "ByteStorage": "u1"},
    **{"BoolStorage": "?", "ComplexFloatStorage": "<c8", "ComplexDoubleStorage": "<c16", "UntypedStorage": "u1"},
}
KINDS = {f"{module}.{name}": dtype for module in ("torch", "torch.storage") for name, dtype in STORAGES.items()}
PARAMETER = "torch.nn.parameter.Parameter"  # itself before PyTorch 0.4
TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
PARAMETERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", PARAMETER}
DICTS = {"collections.OrderedDict", "collections.defaultdict", "collections.Counter"}
# Configurations, random states and the like beside the weights: accepted, and not looked at.
IGNORED_NAMES = {
    "builtins __builtin__": "dict list tuple set frozenset int float bool str bytes bytearray complex",
    "numpy numpy.core.multiarray numpy._core.multiarray": "ndarray dtype scalar _reconstruct",
    "torch": "float16 bfloat16 float32 float64 uint8 int8 int16 int32 int64 bool complex64 complex128 Size device",
    "pathlib pathlib._local": "Path PosixPath WindowsPath",
    "argparse types _codecs": "Namespace SimpleNamespace encode",
}
IGNORED = {f"{m}.{name}" for ms, names in IGNORED_NAMES.items() for m in ms.split() for name in names.split()}
ALLOWED = {*KINDS, *TENSORS, *PARAMETERS, *DICTS, *IGNORED}
# Steps of a pickle that load a value which is written there, and those that load the same value always.
VALUES = {"int", "int_or_bool", "float", "str", "bytes", "bytes_or_str"}
LITERALS = {op.name for op in pickletools.opcodes if op.arg and VALUES & {kind.name for kind in op.stack_after}}
FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
# A large network with its optimizer takes a hundred thousand steps; many more are made to use up memory.
MOST_STEPS = 2_000_000
# Tensors may repeat numbers, so that a small file describes huge arrays: they may take so many times the file's size.
MOST_TIMES, MOST_EXTRA = 16, 64 << 20
SAVE_ANEW = "save the weights anew, with torch.save(network.state_dict(), path)"


class _Storage(NamedTuple):
    key: str  # finds it in the file
    dtype: np.dtype
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]  # of elements, as offset

    def check(self) -> int:
        """Bytes of its array in the file's type; ValueError unless every element is inside the storage."""
        numbers = (self.offset, *self.size, *self.stride)
        if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers) or len(numbers) > 65:
            raise ValueError("a tensor has an impossible shape")
        last = self.offset + sum((length - 1) * step for length, step in zip(self.size, self.stride, strict=True))
        if 0 not in self.size and last >= self.storage.length:
            raise ValueError("a tensor reaches beyond its storage")
        return math.prod(self.size) * self.storage.dtype.itemsize

    def check_distinct(self) -> None:
        """ValueError where a number is there twice, which one damaged byte can make of a tensor, and weights do not need."""
        if any(length > 1 and step == 0 for length, step in zip(self.size, self.stride, strict=True)):
            raise ValueError("a tensor repeats its numbers")

    def array(self, raw: bytes) -> np.ndarray:
        """An array of its own, for a tensor that was checked."""
        if len(raw) != self.storage.length * self.storage.dtype.itemsize:
            raise ValueError(f"storage {self.storage.key[:20]} has {len(raw)} bytes, another number than its tensors")
        flat = np.frombuffer(raw, self.storage.dtype)[self.offset :]
        view = np.lib.stride_tricks.as_strided(flat, self.size, [step * flat.itemsize for step in self.stride])
        values = np.array(view, order="C")
        return widened(values) if flat.dtype == BFLOAT16 else values


class _Machine:
    """Interprets one pickle. The storages that it refers to are put into `storages`, by key."""

    def __init__(self, storages: dict[str, _Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below the open marks
        self.memo: dict[int, Any] = {}

    def run(self, file: IO[bytes]) -> Any:
        """The value of the pickle that starts where the file stands, which is left behind it."""
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number >= MOST_STEPS:
                raise UserError(f"has a pickle of more than {MOST_STEPS} steps, far beyond weights; {SAVE_ANEW}")
            self._step(opcode.name, argument)
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _ if name in LITERALS or name in FIXED:
                stack.append(FIXED.get(name, argument))
            case "PUT" | "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "MARK":
                self.outer.append(stack)
                self.stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
            case "TUPLE" | "FROZENSET":
                self.stack = self.outer.pop()
                self.stack.append(tuple(stack))
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_SET":
                stack.append({} if name == "EMPTY_DICT" else [])
            case "APPEND":
                stack[-2].append(stack.pop())
            case "APPENDS" | "ADDITEMS":
                self.stack = self.outer.pop()
                self.stack[-1].extend(stack)
            case "SETITEM":
                _set_items(stack[-3], [stack.pop(-2), stack.pop()])
            case "SETITEMS":
                self.stack = self.outer.pop()
                _set_items(self.stack[-1], stack)
            case "POP" | "BUILD":  # BUILD gives attributes, such as the _metadata of a state dict
                stack.pop()
            case "GLOBAL":
                stack.append(_allowed(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_allowed(stack.pop(-2), stack.pop()))
            case "REDUCE" | "NEWOBJ":
                stack.append(_call(stack.pop(-2), stack.pop()))
            case "BINPERSID":
                stack.append(self._storage(*stack.pop()))
            case _:
                raise UserError(f"has {f'{name} {argument}'[:80]!r} in its pickle, unlike weights; {SAVE_ANEW}")

    def _storage(self, word: Any, kind: Any, key: Any, _: Any, count: Any, view: Any = None) -> _Storage:
        known = word == "storage" and isinstance(kind, str) and isinstance(key, str) and view is None
        if not known or type(count) is not int or not 0 <= count < 1 << 62:
            raise ValueError("it refers to something that is no storage")
        storage = _Storage(key, np.dtype(KINDS[kind]), count)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key[:20]} is described in two ways")
        return storage


class TorchContent(NamedTuple):
    """The weights in a file and averaged ones beside them, where they were found, and keys with others."""

    arrays: dict[str, np.ndarray]
    place: str
    averaged: dict[str, np.ndarray]  # empty where there are none beside others
    averaged_place: str
    aside: tuple[str, ...]


class _Held(NamedTuple):
    """The same before the numbers are read."""

    weights: dict[str, _Tensor]
    place: str
    averaged: dict[str, _Tensor]
    averaged_place: str
    aside: tuple[str, ...]


def read_torch_file(path: Path) -> TorchContent:
    """The weights in a file that torch.save wrote, by the names in it.

    They are looked for under `WEIGHTS`, then the file itself may be the state dict, then under `AVERAGED`, where those that
    are averaged lie beside others. Bfloat16 becomes float32.

    Raises:
        UserError: missing, no PyTorch file, damaged, without weights, or asking for more than weights need.
    """
    if not path.is_file():
        raise UserError(f"the checkpoint {path} is {'a folder' if path.is_dir() else 'missing'}; wanted a file")
    try:
        with open(path, "rb") as file:
            head = file.peek(4)[:4]
            if head[:1] != b"\x80" and head != b"PK\3\4":
                raise UserError(f"is no PyTorch file: it begins with {head!r}; wanted one of torch.save: copy it anew")
            tree, fetch = _read_zip(file) if head == b"PK\3\4" else _read_legacy(file)
            held = _state_dicts(tree)
            tensors = {(False, name): tensor for name, tensor in held.weights.items()}
            tensors |= {(True, name): tensor for name, tensor in held.averaged.items()}
            arrays = _arrays(tensors, fetch, os.fstat(file.fileno()).st_size)
            if head != b"PK\3\4":  # and so nothing else shows damage
                for tensor in tensors.values():
                    tensor.check_distinct()
            weights = {name: arrays[False, name] for name in held.weights}
            averaged = {name: arrays[True, name] for name in held.averaged}
            return TorchContent(weights, held.place, averaged, held.averaged_place, held.aside)
    except PermissionError:
        raise UserError(f"you may not read {path}; wanted a readable file: change its permissions") from None
    except UserError as refusal:
        raise UserError(f"{path} {refusal}") from None
    except Exception as error:  # there is nothing that damaged bytes cannot raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"{path} is truncated or damaged: {reason}; wanted a whole file: copy it anew") from error


def _read_zip(file: IO[bytes]) -> tuple[Any, Callable[[_Storage], bytes]]:
    archive = zipfile.ZipFile(file)
    names = archive.namelist()
    roots = [name.removesuffix("data.pkl") for name in names if name.split("/", 1)[1:] == ["data.pkl"]]
    if any(f"{root}constants.pkl" in names for root in roots):
        raise UserError(f"is a TorchScript program; wanted weights: {SAVE_ANEW}")
    if not roots:
        holds = shorten((name[:40] for name in names), 2) or "nothing"
        raise UserError(f"is a zip archive that torch.save did not write, with {holds}; wanted a file of weights")
    if len(roots) > 1 or len(set(names)) < len(names):
        raise ValueError("members of the archive are there twice")
    left = os.fstat(file.fileno()).st_size

    def member(name: str) -> bytes:
        nonlocal left
        info = archive.getinfo(roots[0] + name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise UserError(f"has {name} compressed, as torch.save never does; wanted it stored: {SAVE_ANEW}")
        left -= info.file_size  # members that overlap would make a small file large
        if info.file_size != info.compress_size or left < 0:
            raise ValueError(f"{name} is said to have {info.file_size} bytes")
        return archive.read(info)  # which verifies the checksum

    if f"{roots[0]}byteorder" in names and member("byteorder") != b"little":
        raise UserError(f"is of a big-endian machine; wanted little-endian: {SAVE_ANEW} on another machine")
    return _Machine({}).run(io.BytesIO(member("data.pkl"))), lambda storage: member(f"data/{storage.key}")


def _read_legacy(file: IO[bytes]) -> tuple[Any, Callable[[_Storage], bytes]]:
    storages: dict[str, _Storage] = {}
    raw: dict[str, bytes] = {}
    if (_Machine({}).run(file), _Machine({}).run(file)) != (LEGACY_MAGIC, LEGACY_VERSION):
        raise UserError(f"is a pickle that torch.save did not write; wanted a file of weights: {SAVE_ANEW}")
    if _Machine({}).run(file)["little_endian"] is not True:
        raise UserError(f"is of a big-endian machine; wanted little-endian: {SAVE_ANEW} on another machine")
    tree, size = _Machine(storages).run(file), os.fstat(file.fileno()).st_size
    for key in map(_text, _Machine({}).run(file)):
        (count,) = struct.unpack("<q", file.read(8))
        nbytes = count * storages[key].dtype.itemsize
        if key in raw or count != storages[key].length or nbytes > size - file.tell():
            raise ValueError(f"storage {key[:20]} is not there as a whole")
        raw[key] = file.read(nbytes)
    return tree, lambda storage: raw[storage.key]


def _state_dicts(tree: Any) -> _Held:
    """The tensors of the weights and of averaged ones, and other keys with tensors, which are left aside."""
    content = tree if isinstance(tree, dict) else {}
    # A dict that holds dicts is a whole training, even where a tensor, such as the best accuracy, is beside them.
    plain = not any(isinstance(value, dict) for name, value in content.items() if not name.endswith("_extra_state"))
    found = [(key, *_tensors_below(content.get(key), MOST_LEVELS)) for key in WEIGHTS]
    found += [("", _tensors(content) if plain else {}, "")]
    found += [(key, *_tensors_below(content.get(key), MOST_LEVELS)) for key in AVERAGED]
    held = {key: (tensors, ".".join(filter(None, (key, place)))) for key, tensors, place in found if tensors}
    if held:
        first, *others = held
        averages = () if first in AVERAGED else tuple(key for key in others if key in AVERAGED and key != TEACHER)[:1]
        averaged = held[averages[0]] if averages else ({}, "")
        return _Held(*held[first], *averaged, tuple(key for key in others if key not in averages))
    holds = shorten(name[:40] for name in content) or "nothing that has a name"
    raise UserError(f"holds no state dict but {holds}; wanted tensors by name, perhaps in state_dict: {SAVE_ANEW}")


def _tensors_below(place: Any, levels: int) -> tuple[dict[str, _Tensor], str]:
    """The tensors in a dict, or in one below it, and the keys that lead there."""
    if not isinstance(place, dict) or not levels:
        return {}, ""
    if direct := _tensors(place):
        return direct, ""
    for key in (*WEIGHTS, *AVERAGED):
        tensors, rest = _tensors_below(place.get(key), levels - 1)
        if tensors:
            return tensors, ".".join(filter(None, (key, rest)))
    return {}, ""


def _tensors(entries: dict[str, Any]) -> dict[str, _Tensor]:
    return {name: value for name, value in entries.items() if isinstance(value, _Tensor)}


def _arrays(tensors: dict[K, _Tensor], fetch: Callable[[_Storage], bytes], size: int) -> dict[K, np.ndarray]:
    """The numbers; a storage that tensors share is read once."""
    if len(tensors) > MOST_ENTRIES:
        raise UserError(f"holds {len(tensors):,} tensors; wanted at most {MOST_ENTRIES:,}: {SAVE_ANEW}")
    total = sum(tensor.check() for tensor in tensors.values())
    if total > MOST_TIMES * size + MOST_EXTRA:
        raise UserError(f"describes arrays of {total} bytes in a file of {size}; wanted plain weights: {SAVE_ANEW}")
    fetch_once = functools.cache(fetch)
    return {name: tensor.array(fetch_once(tensor.storage)) for name, tensor in tensors.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a name is no text")  # others are not looked at: nested ones could take forever or overflow


def _allowed(module: Any, name: Any) -> str:
    found = f"{_text(module)}.{_text(name)}"
    if found not in ALLOWED:
        raise UserError(f"asks for {found[:80]!r}, which weights do not need; if you trust the file, {SAVE_ANEW}")
    return found


def _call(name: Any, arguments: Any) -> Any:
    """What takes the place of the object that calling `name` would make."""
    if _text(name) in TENSORS:
        storage, offset, size, stride, *more = arguments
        if any(more[2:]):
            raise UserError(f"has a conjugated or negated view; wanted plain tensors: {SAVE_ANEW}")
        return _Tensor(storage, offset, size, stride)
    if name == "collections.OrderedDict" and arguments:  # Python 2 has the items here
        items = [part for key, value in arguments[0] for part in (key, value)]
        arguments[0].clear()  # a file could have them copied again and again
        return _set_items({}, items)
    if name in DICTS:
        return {}
    return arguments[0] if name in (*PARAMETERS, "torch.Size") else None


def _set_items(target: dict[str, Any], items: list[Any]) -> dict[str, Any]:
    """`target` with more entries; keys and values take turns, and only names are kept as keys: weights have no other."""
    pairs = zip(items[::2], items[1::2], strict=True)
    target.update((key, value) for key, value in pairs if isinstance(key, str))
    return target
