"""JPEG files: whatever is done to their segments, MindSpore's decoder lives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

from mindzoo.tests.fuzz import mutate, pictures
from mindzoo.tests.fuzz.target import Target

LARGE = 100_000  # bytes
MARKERS = re.compile(rb"\xff[\xc0-\xcf\xd9-\xef\xfe]")


def good_files() -> list[bytes]:
    variants: list[dict[str, Any]] = [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"quality": 30},
        {"optimize": True},
        {"progressive": True},
        {"progressive": True, "subsampling": "4:4:4"},
        {"restart_marker_blocks": 3},
        {"comment": b"a comment"},
    ]
    modes: list[tuple[str, dict[str, Any]]] = [
        ("L", {}),
        ("CMYK", {}),
        ("CMYK", {"progressive": True}),
        ("L", {"progressive": True}),
    ]
    return [*(pictures.encoded("JPEG", **v) for v in variants), *(pictures.encoded("JPEG", m, **v) for m, v in modes)]


def segment_of(chance: Random, content: bytes) -> tuple[int, int]:
    """Where one of the segments begins and ends."""
    starts = [found.start() for found in MARKERS.finditer(content)] or [0]
    at = chance.choice(starts)
    return at, at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def move_segment(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A segment is missing, there twice, or of another file."""
    at, end = segment_of(chance, content)
    other = chance.choice(seeds)
    first, last = segment_of(chance, other)
    kept = chance.choice((b"", content[at:end] * 2, other[first:last], content[at:end] + other[first:last]))
    return content[:at] + kept + content[end:]


def change_field(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A byte near the beginning of a segment: its length, sizes, table numbers, sampling."""
    at, _ = segment_of(chance, content)
    return mutate.put(content, at + chance.randint(1, 24), bytes([chance.choice((0, 1, 2, 17, 34, 63, 64, 255))]))


def many_scans(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """The scans again and again."""
    at = content.find(b"\xff\xda")
    if at < 0 or len(content) > LARGE:
        return content
    return content[:-2] + content[at:-2] * chance.choice((2, 40, 200)) + content[-2:]


def huge(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Sides of another size."""
    at = content.find(b"\xff\xc0") if b"\xff\xc0" in content else content.find(b"\xff\xc2")
    sides = (1, 8, 4000, 10_000, 65_500, 65_535)
    size = b"".join(chance.choice(sides).to_bytes(2, "big") for _ in range(2))
    return mutate.put(content, at + 5, size) if at > 0 else content


TARGET = Target(
    good_files,
    pictures.read,
    may_differ=lambda good, found: True,  # the data of a scan have no checksum
    mutations=[*mutate.BYTES, *[move_segment, change_field] * 4, many_scans, huge],
    memory=3 << 30,
)
