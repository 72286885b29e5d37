"""The arms of a comparison: what runs, in which environment, and what a round of it gives.

A round gives numbers by unit: "images/s", "s" and "MB".
"""

from __future__ import annotations

import json
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mindzoo.scripts.dev.bench.children import Child, ChildFailed, run, started

IMAGES, SECONDS, MEGABYTES = "images/s", "s", "MB"
Numbers = Mapping[str, float]
ATTEMPTS = 3  # at a rate: while something else is busy, few images may take longer than many


@dataclass(frozen=True)
class Round:
    """What a round is told: how long it lasts at least, where it works, and where caches of this round are."""

    seconds: float
    folder: Path
    cache: Path


class Rounds(Protocol):
    """An arm that is ready."""

    def __call__(self, round_: Round) -> Numbers: ...


@dataclass(frozen=True)
class Arm(ABC):
    """One side of a comparison.

    Args:
        name: in tables.
        does: in a sentence for the report.
        packages: whose versions are named.
        own_cache: caches of the program are new in each round, and shared by the arms of it that have this too.
    """

    name: str
    does: str
    python: str
    packages: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    own_cache: bool = False

    def surroundings(self, round_: Round) -> dict[str, str]:
        """The environment variables of its processes; arms with other variables have other caches."""
        if not self.own_cache:
            return dict(self.environment)
        cache = round_.cache / f"{zlib.crc32(repr(sorted(self.environment.items())).encode()):08x}"
        cache.mkdir(exist_ok=True)
        return {**self.environment, "XDG_CACHE_HOME": str(cache)}

    @abstractmethod
    def open(self, folder: Path) -> AbstractContextManager[Rounds]:
        """Make it ready; inside the block it does rounds."""


@dataclass(frozen=True)
class Worker(Arm):
    """A script of `workers/`, and what it is told."""

    worker: Path = Path()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """Its command."""
        return [self.python, str(self.worker), json.dumps(self.settings)]


class Served(Worker):
    """A worker that is prepared once, and then works in each round until the time is over."""

    @contextmanager
    def open(self, folder: Path) -> Iterator[Rounds]:
        with started(self.words, self.environment, folder=folder) as child:
            _answer(child)
            yield lambda round_: _numbers(_ask(child, round_.seconds))


class Fresh(Worker):
    """A worker that is started anew in each round: its peak of memory."""

    @contextmanager
    def open(self, folder: Path) -> Iterator[Rounds]:
        yield self._round

    def _round(self, round_: Round) -> Numbers:
        with started(self.words, self.surroundings(round_), folder=round_.folder) as child:
            _answer(child)
            return {MEGABYTES: _ask(child, round_.seconds)["peak_mb"]}


@dataclass(frozen=True)
class Program(Arm):
    """A command that runs from its start to its end.

    Args:
        words: behind the interpreter.
        images: how many it takes; 0: no rate is wanted.
        fewer: the same command for `fewer_images`; the rate is that of the images that it lacks, without the start.
    """

    words: Sequence[str] = ()
    images: int = 0
    fewer: Sequence[str] = ()
    fewer_images: int = 0

    @contextmanager
    def open(self, folder: Path) -> Iterator[Rounds]:
        yield self._round

    def _round(self, round_: Round) -> Numbers:
        if not self.fewer:
            return {SECONDS: self._timed(self.words, round_)}
        for _ in range(ATTEMPTS):
            short, seconds = self._timed(self.fewer, round_), self._timed(self.words, round_)
            if seconds > short:
                return {SECONDS: seconds, IMAGES: (self.images - self.fewer_images) / (seconds - short)}
        raise ChildFailed(
            f"{self.name} took {seconds:.2f} s for {self.images} images and {short:.2f} s for {self.fewer_images}, and no "
            "longer in other attempts: no rate can be told; use more --images"
        )

    def _timed(self, words: Sequence[str], round_: Round) -> float:
        begun = time.perf_counter()
        run([self.python, *words], self.surroundings(round_), folder=round_.folder)
        return time.perf_counter() - begun


def _ask(child: Child, seconds: float) -> dict[str, Any]:
    assert child.process.stdin is not None
    try:
        child.process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
        child.process.stdin.flush()
    except BrokenPipeError:
        raise child.failed() from None
    return _answer(child)


def _answer(child: Child) -> dict[str, Any]:
    assert child.process.stdout is not None
    line = child.process.stdout.readline()
    if not line:
        raise child.failed()
    answer: dict[str, Any] = json.loads(line)
    return answer


def _numbers(answer: Mapping[str, Any]) -> Numbers:
    return {IMAGES: answer["images"] / answer["seconds"], MEGABYTES: answer["peak_mb"]}
