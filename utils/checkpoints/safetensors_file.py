"""Files of safetensors, read into NumPy arrays: eight bytes with the length of a header in JSON, the header, the numbers.

https://github.com/huggingface/safetensors describes the format. The header has name, type, shape and place of each tensor. Places must
follow each other without gap, as the format demands, and end where the file ends.
"""

from __future__ import annotations

import zlib
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from mindzoo.utils.checkpoints.number_types import BFLOAT16, MOST_ENTRIES, array_of
from mindzoo.utils.config.json_file import parse_json

LENGTH = 8  # bytes that say how long the header is
# The reference takes six times as many; the header of MOST_ENTRIES tensors is shorter.
MOST_HEADER = 16_000_000
FACTS = "__metadata__"
CHECKSUM = "crc_num"  # of MindSpore: the CRC-32 of names and numbers, in the order of the names
TYPES = {
    **{"BOOL": "?", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8"},
    **{"I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"},
    **{"F16": "<f2", "BF16": BFLOAT16, "F32": "<f4", "F64": "<f8"},
}


class SafetensorsContent(NamedTuple):
    """What is in a file."""

    arrays: dict[str, np.ndarray]
    verified: bool  # by a checksum, which MindSpore can write


class _Place(NamedTuple):
    begin: int
    end: int
    name: str
    dtype: str
    shape: list[int]


def header_length(head: bytes, size: int) -> int:
    """How long the header of a file of `size` bytes is that begins with `head`; 0 where that is no such file."""
    length = int.from_bytes(head[:LENGTH], "little")
    return length if head[LENGTH : LENGTH + 1] == b"{" and length <= size - LENGTH else 0


def read_safetensors(raw: bytes) -> SafetensorsContent:
    """The tensors in the bytes of a .safetensors file.

    Raises:
        ValueError: they are not what the format demands: says where.
    """
    length = header_length(raw, len(raw))
    if not 0 < length <= MOST_HEADER:
        raise ValueError("the length of its header is impossible")
    try:
        header = parse_json(raw[LENGTH : LENGTH + length].decode())
    except ValueError as error:
        raise ValueError(f"its header {error}") from None
    facts = header.pop(FACTS, {})
    if not isinstance(facts, dict) or not all(isinstance(fact, str) for fact in facts.values()):
        raise ValueError(f"its {FACTS} is not made of texts")
    if len(header) > MOST_ENTRIES:
        raise ValueError(f"it holds more than {MOST_ENTRIES:,} tensors")
    numbers = memoryview(raw)[LENGTH + length :]
    places = sorted(_place(name, entry) for name, entry in header.items())
    _check_order(places, len(numbers))
    arrays = {}
    for begin, end, name, dtype, shape in places:
        try:
            arrays[name] = array_of(numbers[begin:end], dtype, shape)
        except ValueError as error:
            raise ValueError(f"of {name} {error}") from None
    return SafetensorsContent({name: arrays[name] for name in header}, _is_verified(places, numbers, facts))


def _place(name: str, entry: Any) -> _Place:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name} is not made of dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ValueError(f"{name} is of the type {str(dtype)[:20]!r}")
    if not isinstance(shape, list) or not isinstance(offsets, list) or [type(at) for at in offsets] != [int, int]:
        raise ValueError(f"shape or place of {name} is no list of numbers")
    return _Place(offsets[0], offsets[1], name, TYPES[dtype], shape)


def _check_order(places: list[_Place], size: int) -> None:
    """ValueError unless each tensor begins where the one before ends, the first at 0, and the last ends at `size`."""
    expected = 0
    for place in places:
        if place.begin != expected or not place.begin <= place.end <= size:
            raise ValueError(f"{place.name} lies at {place.begin} to {place.end}, and {size} bytes are there")
        expected = place.end
    if expected != size:
        raise ValueError(f"{size - expected} bytes are behind the last tensor")


def _is_verified(places: list[_Place], numbers: memoryview, facts: dict[str, str]) -> bool:
    """Whether a checksum of MindSpore's is that of the content; False where there is none.

    Raises:
        ValueError: it is that of another content.
    """
    # Of a single whole number MindSpore takes so many zeros in place of its bytes.
    if CHECKSUM not in facts or any(not place.shape and np.dtype(place.dtype).kind in "iub" for place in places):
        return False
    found = 0
    for place in sorted(places, key=attrgetter("name")):
        found = zlib.crc32(numbers[place.begin : place.end], zlib.crc32(place.name.encode(), found))
    if facts[CHECKSUM] != str(found):
        raise ValueError("its checksum is that of another content")
    return True
