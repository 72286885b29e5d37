"""Any file of weights, read into arrays by the names that stand in it. Which reader takes it is settled by its content."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from mindzoo.utils.checkpoints import ckpt_file, file_kind, onnx_file, safetensors_file, torch_file
from mindzoo.utils.checkpoints.metadata import META
from mindzoo.utils.checkpoints.number_types import LONGEST_NAME
from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.errors import UserError, shorten

SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.(safetensors|bin)")
INDEX_HINT = "wanted the .index.json that stands beside the parts of a large file"
COPY_ANEW = "wanted a whole file: copy it anew, or use another one"
MOST_PARTS = 1000
MEMORY = Path("/proc/meminfo")
TIMES_IN_MEMORY = 2  # the file, and the arrays made of it
Content = TypeVar("Content")


@dataclass(frozen=True)
class RawFile:
    """What is in a file."""

    arrays: dict[str, np.ndarray]
    format: str  # in words, for people
    verified: bool  # by a checksum
    texts: dict[str, str] = field(default_factory=dict)
    place: str = ""  # the key of the file below which the weights were found; empty: the file itself
    averaged: dict[str, np.ndarray] = field(default_factory=dict)  # averaged weights beside them
    averaged_place: str = ""  # as `place`
    aside: tuple[str, ...] = ()  # keys with other weights, which were left there


def read_raw(path: Path) -> RawFile:
    """The arrays in a .ckpt of MindSpore, a file of torch.save, an .onnx, a .safetensors or the index of several.

    Raises:
        UserError: missing, unreadable, damaged, or another kind of file: says which.
    """
    head, size = _beginning(path)
    kind = file_kind.kind_of(head, size)
    if kind is None:
        raise UserError(f"{path} {file_kind.described(head)}")
    if kind == file_kind.INDEX:
        return _read_parts(path)
    if part := SHARD.fullmatch(path.name):
        index = f"{part[1]}.{part[2]}.index.json"
        raise UserError(f"{path} is one part of a file that was split; wanted the file that lists the parts: {index}")
    return _read(path, kind)


def _read(path: Path, kind: str) -> RawFile:
    found = _read_kind(path, kind)
    longest = max(map(len, (*found.arrays, *found.averaged)), default=0)
    if longest > LONGEST_NAME:
        raise UserError(f"{path} holds a name of {longest} characters; wanted the names of parameters")
    return found


def _read_kind(path: Path, kind: str) -> RawFile:
    if kind in (file_kind.TORCH_ZIP, file_kind.TORCH_LEGACY):
        torch = torch_file.read_torch_file(path)
        words = "the format of PyTorch before 1.6" if kind == file_kind.TORCH_LEGACY else "PyTorch's format"
        return RawFile(
            torch.arrays, words, kind == file_kind.TORCH_ZIP, place=torch.place,
            averaged=torch.averaged, averaged_place=torch.averaged_place, aside=torch.aside,
        )  # fmt: skip
    if kind == file_kind.SAFETENSORS:
        tensors = _sound(path, safetensors_file.read_safetensors)
        return RawFile(tensors.arrays, "the format of safetensors", tensors.verified)
    if kind == file_kind.ONNX:
        return _read_onnx(path)
    ckpt = _sound(path, ckpt_file.read_ckpt)
    return RawFile(ckpt.arrays, "MindSpore's format", ckpt.verified, ckpt.texts)


def _read_onnx(path: Path) -> RawFile:
    try:
        onnx = onnx_file.read_onnx(path)
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    texts = {META: onnx.facts} if onnx.facts else {}
    return RawFile(onnx.arrays, "the format of ONNX", bool(onnx.facts), texts)


def _sound(path: Path, read: Callable[[bytes], Content]) -> Content:
    try:
        return read(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is damaged or no checkpoint: {error}; {COPY_ANEW}") from None
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    except MemoryError:
        raise UserError(
            f"{path} does not fit into the memory that is free; wanted as much again as the file takes"
        ) from None


def _beginning(path: Path) -> tuple[bytes, int]:
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no file that can be read twice" if path.exists() else "missing"
            raise UserError(f"the checkpoint {path} is {found}; wanted a file")
        with open(path, "rb") as file:
            head, size = file.read(file_kind.HEAD), path.stat().st_size
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    if not head:
        raise UserError(f"the checkpoint {path} is empty: 0 bytes; copy it anew, or use another one")
    free = _free_memory()
    if TIMES_IN_MEMORY * size > free:
        raise UserError(
            f"{path} has {size:,} bytes, and to read it takes {TIMES_IN_MEMORY} times as many; {free:,} are free in memory: is it "
            "another file?"
        )
    return head, size


def _free_memory() -> float:
    """Bytes; infinity where the system does not say it."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text())
    except OSError:
        return math.inf
    return int(found[1]) << 10 if found else math.inf


def _read_parts(index: Path) -> RawFile:
    """The files that an index lists, which lie beside it, as one."""
    listed = read_json(index, "list of parts", INDEX_HINT)
    places = listed.get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise UserError(f"{index} has no weight_map of names and files; {INDEX_HINT}")
    names = sorted(set(places.values()))
    if len(names) > MOST_PARTS or any(not SHARD.fullmatch(name) or "/" in name for name in names):
        raise UserError(
            f"{index} lists {shorten(names, 2)}; wanted names such as model-00001-of-00002.safetensors beside it"
        )
    parts = {}
    for name in names:
        head, size = _beginning(index.parent / name)
        kind = file_kind.kind_of(head, size)
        if kind in (None, file_kind.INDEX):
            raise UserError(f"{index.parent / name} {file_kind.described(head)}")
        parts[name] = _read(index.parent / name, kind)
    missing = [name for name, part in places.items() if name not in parts[part].arrays]
    if missing or not parts:
        raise UserError(
            f"{index} lists {len(missing)} tensors that its parts do not hold ({shorten(missing, 2)}); {COPY_ANEW}"
        )
    arrays = {name: parts[part].arrays[name] for name, part in places.items()}
    return RawFile(arrays, next(iter(parts.values())).format, all(part.verified for part in parts.values()))
