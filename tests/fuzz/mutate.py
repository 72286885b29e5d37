"""Damage to a file: what disks, downloads and people with bad intentions do to it.

A mutation takes a source of chance, a file and all good files, and gives the damaged file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]

# Where counts and lengths go wrong.
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**62,
    2**63,
    2**64 - 1,
)
WRITTEN = ("0", "-1", "1", "-0", "1.5", "1e9", "1e400", "NaN", "null", "true", "[]", "{}", '"x"', "9" * 30, "9" * 5000)
# Most damage is near the beginning, where formats say what follows.
HEAD = 512


def mutated(chance: Random, content: bytes, seeds: Sequence[bytes], mutations: Sequence[Mutation]) -> bytes:
    """The file after one mutation, sometimes after several."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = chance.choice(mutations)(chance, content, seeds)
    return content


def place(chance: Random, content: bytes) -> int:
    """A position in the file, of its beginning and its end more often."""
    last = max(len(content) - 1, 0)
    where = chance.random()
    if where < 0.4:
        return chance.randint(0, min(HEAD, last))
    return max(last - chance.randint(0, 32), 0) if where < 0.5 else chance.randint(0, last)


def cut(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """An interrupted download."""
    return content[: place(chance, content)]


def flip(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One bit."""
    return put(
        content, at := place(chance, content), bytes(byte ^ 1 << chance.randrange(8) for byte in content[at : at + 1])
    )


def noise(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Some bytes."""
    return put(content, place(chance, content), chance.randbytes(chance.choice((1, 2, 4, 64))))


def zeros(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A block that was never written."""
    at = place(chance, content)
    return put(content, at, bytes(min(chance.choice((1, 8, 512, 4096)), len(content) - at)))


def remove(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A block is missing."""
    at = place(chance, content)
    return content[:at] + content[at + chance.choice((1, 2, 8, 64, 1024)) :]


def repeat(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A block is there several times."""
    at, length = place(chance, content), chance.choice((1, 8, 64, 1024))
    return content[:at] + content[at : at + length] * chance.choice((2, 2, 3, 50)) + content[at + length :]


def insert(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Something is between."""
    at = place(chance, content)
    return content[:at] + chance.randbytes(chance.choice((1, 3, 16))) + content[at:]


def splice(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """The beginning of this file and the end of another."""
    other = chance.choice(seeds)
    return content[: place(chance, content)] + other[place(chance, other) :]


def tail(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Something behind it."""
    return content + chance.choice((b"\0", b"tail", content, chance.randbytes(40)))


def number(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A number of a fixed width becomes one at which counts and lengths go wrong."""
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice(NUMBERS) % (1 << 8 * width)
    return put(content, place(chance, content), value.to_bytes(width, chance.choice(("little", "big"))))


def written_number(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A number that stands in text becomes another, or something else."""
    found = list(re.finditer(rb"-?\d+", content[: 64 * HEAD]))
    if not found:
        return flip(chance, content, seeds)
    one = chance.choice(found)
    return content[: one.start()] + chance.choice(WRITTEN).encode() + content[one.end() :]


def put(content: bytes, at: int, new: bytes) -> bytes:
    """The content with `new` in the place of as many bytes."""
    return content[:at] + new + content[at + len(new) :]


BYTES: tuple[Mutation, ...] = (
    cut,
    flip,
    flip,
    noise,
    zeros,
    remove,
    repeat,
    insert,
    splice,
    tail,
    number,
    written_number,
)
