"""MindSpore's checkpoint files (.ckpt), read into NumPy arrays without MindSpore.

Its own loader takes as many bytes as a shape says, whether they are there or not. Here a file is walked through byte by
byte, each length is held against what is left, and each shape against its bytes, before there is an array.

    message Checkpoint { repeated Value value = 1; }
    message Value { required string tag = 1; oneof value { TensorProto tensor = 2; MapTensorProto maptensor = 3; } }
    message TensorProto { repeated int64 dims = 1; required string tensor_type = 2; required bytes tensor_content = 3; }

A large tensor is in several values of the same tag, one behind the other, each with the dims of all. Behind the message
may stand `crc_num` and, in ten bytes, the CRC-32 of what is before.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mindzoo.utils.checkpoints.number_types import BFLOAT16, MOST_ENTRIES, array_of

TYPES = {
    **{"Int8": "i1", "Int16": "<i2", "Int32": "<i4", "Int64": "<i8", "Bool": "?"},
    **{"UInt8": "u1", "UInt16": "<u2", "UInt32": "<u4", "UInt64": "<u8"},
    **{"Float16": "<f2", "Float32": "<f4", "Float64": "<f8", "BFloat16": BFLOAT16},
}
TEXT = "str"
CHECKSUM, CHECKSUM_BYTES = b"crc_num", 10
# Kinds of fields in a protobuf message: a number, and something with a length.
NUMBER, BYTES = 0, 2
LONGEST_NUMBER = 10  # bytes


class CkptContent(NamedTuple):
    """What is in a file."""

    arrays: dict[str, np.ndarray]
    texts: dict[str, str]
    verified: bool  # by a checksum


class _Tensor(NamedTuple):
    dims: tuple[int, ...]
    kind: str
    content: memoryview


def read_ckpt(raw: bytes) -> CkptContent:
    """The tensors and texts in the bytes of a .ckpt file.

    Raises:
        ValueError: they are not what MindSpore writes, or not what it wrote: says where.
    """
    message = memoryview(raw)
    verified = raw[-len(CHECKSUM) - CHECKSUM_BYTES : -CHECKSUM_BYTES] == CHECKSUM
    if verified:
        message = message[: -len(CHECKSUM) - CHECKSUM_BYTES]
        if zlib.crc32(message) != int.from_bytes(raw[-CHECKSUM_BYTES:], "big"):
            raise ValueError("its checksum is that of another content")
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, str] = {}
    for name, parts in _tensors(message):
        if name in arrays or name in texts:
            raise ValueError(f"{name} is there twice")
        if len(arrays) + len(texts) >= MOST_ENTRIES:
            raise ValueError(f"it holds more than {MOST_ENTRIES:,} tensors")
        try:
            if parts[0].kind == TEXT:
                texts[name] = b"".join(part.content for part in parts).decode("utf-32-le")
            else:
                arrays[name] = _array(parts)
        except ValueError as error:
            raise ValueError(f"of {name} {error}") from None
    return CkptContent(arrays, texts, verified)


def _tensors(message: memoryview) -> Iterator[tuple[str, list[_Tensor]]]:
    """Each name with its tensor, in as many parts as it has."""
    name, parts = "", list[_Tensor]()
    for value in _values(message, {1: BYTES}):
        next_name, tensor = _value(_as_bytes(value))
        if parts and next_name == name:
            if tensor[:2] != parts[0][:2]:
                raise ValueError(f"the parts of {name} are of different tensors")
            parts.append(tensor)
            continue
        if parts:
            yield name, parts
        name, parts = next_name, [tensor]
    if parts:
        yield name, parts


def _value(message: memoryview) -> tuple[str, _Tensor]:
    found = _fields(message, {1: BYTES, 2: BYTES, 3: BYTES})
    if 3 in found:
        raise ValueError("a tensor is a map of keys and values, which networks here do not have")
    return bytes(_only(found, 1, "name")).decode(), _tensor(_only(found, 2, "tensor"))


def _tensor(message: memoryview) -> _Tensor:
    found = _fields(message, {1: (NUMBER, BYTES), 2: BYTES, 3: BYTES})
    dims = [number for field in found.get(1, []) for number in ([field] if isinstance(field, int) else _packed(field))]
    kind = bytes(_only(found, 2, "type")).decode("ascii")
    if kind != TEXT and kind not in TYPES:
        raise ValueError(f"a tensor is of the type {kind[:20]!r}")
    return _Tensor(tuple(dims), kind, _only(found, 3, "content"))


def _array(parts: list[_Tensor]) -> np.ndarray:
    dims, kind, content = parts[0]
    if len(parts) > 1:
        content = memoryview(b"".join(part.content for part in parts))
    # Scalars of older versions have one dimension of no length.
    return array_of(content, TYPES[kind], () if dims == (0,) and len(content) else dims)


Field = int | memoryview
Kinds = dict[int, int | tuple[int, ...]]


def _values(message: memoryview, known: Kinds) -> Iterator[Field]:
    """The fields of a message in their order, of which there is one kind."""
    return (value for _, value in _walk(message, known))


def _fields(message: memoryview, known: Kinds) -> dict[int, list[Field]]:
    """The fields of a message by their numbers."""
    found: dict[int, list[Field]] = {}
    for number, value in _walk(message, known):
        found.setdefault(number, []).append(value)
    return found


def _walk(message: memoryview, known: Kinds) -> Iterator[tuple[int, Field]]:
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        number, kind = tag >> 3, tag & 7
        wanted = known.get(number, ())
        if kind not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            raise ValueError(f"field {number} of kind {kind} is there, {len(message) - at} bytes before an end")
        value, at = _number(message, at)
        if kind == NUMBER:
            yield number, value - (1 << 64) if value >> 63 else value
            continue
        if value > len(message) - at:
            raise ValueError(f"{value} bytes are to follow, and {len(message) - at} are left")
        yield number, message[at : at + value]
        at += value


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, seven bits a byte, and where it ends."""
    number = 0
    for shift, byte in enumerate(message[at : at + LONGEST_NUMBER]):
        number |= (byte & 127) << 7 * shift
        if byte < 128 and number < 1 << 64:
            return number, at + shift + 1
    raise ValueError("a number has no end")


def _packed(message: memoryview) -> Iterator[int]:
    """Numbers in a row, the other way in which dims may be written."""
    at = 0
    while at < len(message):
        number, at = _number(message, at)
        yield number


def _only(found: dict[int, list[Field]], number: int, what: str) -> memoryview:
    if len(found.get(number, ())) != 1:
        raise ValueError(f"a tensor has {len(found.get(number, ()))} times a {what}")
    return _as_bytes(found[number][0])


def _as_bytes(value: Field) -> memoryview:
    assert isinstance(value, memoryview)  # the kinds that are known say so
    return value
