"""What is fuzzed, and what a reader may do with a damaged file."""

from __future__ import annotations

import functools
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from mindzoo.tests.fuzz import mutate
from mindzoo.utils.errors import LONGEST_LINE, UserError


class Verdict(Enum):
    """What became of one file."""

    READ = "read"  # as the good file
    REFUSED = "refused"
    OTHER = "other values"  # where the format has no checksum and nothing can be seen
    SILENT = "silent"  # other values where it could have been seen
    WORDS = "no sentence"  # refused with more than one line, or too long a one
    TRACEBACK = "traceback"
    DEATH = "death"
    HANG = "hang"


ALLOWED = {Verdict.READ, Verdict.REFUSED, Verdict.OTHER}


class Judged(NamedTuple):
    """A verdict, and what was said or raised."""

    verdict: Verdict
    detail: str = ""


def never(good: object, found: object) -> bool:
    """Of a format in which each change is seen."""
    return False


@dataclass(frozen=True)
class Target:
    """A reader under test."""

    seeds: Callable[[], Sequence[bytes]]  # good files, the same ones at each call
    read: Callable[[bytes], object]
    # (value of the good file, value of the damaged one) -> whether such a difference cannot be seen by a reader.
    may_differ: Callable[[object, object], bool] = never
    mutations: Sequence[mutate.Mutation] = mutate.BYTES
    memory: int = 1 << 30  # bytes of address space for a file, beyond what the process has after it read the good ones


class Bench:
    """A target with its good files."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.seeds = list(target.seeds())

    @functools.cached_property
    def good(self) -> list[object]:
        """The good files as they are read."""
        return [self.target.read(seed) for seed in self.seeds]

    def damaged(self, seed: int, number: int) -> tuple[int, bytes]:
        """Which good file is taken, and the file that is made of it; the same ones for the same numbers."""
        chance = random.Random(f"{seed}-{number}")
        which = chance.randrange(len(self.seeds))
        return which, mutate.mutated(chance, self.seeds[which], self.seeds, self.target.mutations)

    def judge(self, seed: int, number: int) -> Judged:
        """Read one damaged file."""
        good = self.good
        which, content = self.damaged(seed, number)
        try:
            found = self.target.read(content)
        except UserError as error:
            said = str(error)
            plain = said and "\n" not in said and len(said) <= LONGEST_LINE
            return Judged(Verdict.REFUSED if plain else Verdict.WORDS, said)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            return Judged(Verdict.TRACEBACK, f"{error!r:.200} at {Path(last.filename).name}:{last.lineno}")
        if found == good[which]:
            return Judged(Verdict.READ)
        return Judged(Verdict.OTHER if self.target.may_differ(good[which], found) else Verdict.SILENT)


def on_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """`read` of a path as the `read` of a target: the content stands in a file of that name in the current folder."""

    def write_and_read(content: bytes) -> object:
        path = Path(name)
        path.write_bytes(content)
        return read(path)

    return write_and_read
