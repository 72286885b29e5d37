"""Hands damaged files to processes that read them, and counts what became of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mindzoo.tests.fuzz.target import ALLOWED, Judged, Verdict

FOLDER = Path(__file__).resolve().parent
PREFIX = "target_"
# Seconds: to load and read the good files; of a core for one damaged file; to end after the last answer.
LONGEST_START, LONGEST, DYING = 120.0, 10.0, 5.0
# A file may take so many times longer by the clock, where the cores have other work or the process only waits.
PATIENCE = 6


def targets() -> dict[str, Path]:
    """The files of the targets that are there, by name."""
    return {path.stem.removeprefix(PREFIX): path for path in sorted(FOLDER.glob(f"{PREFIX}*.py"))}


class Worker:
    """A process that reads files of one target, and is started anew where one ended it."""

    def __init__(self, target: Path, folder: Path, longest: float = LONGEST) -> None:
        self.target, self.folder, self.longest = target, folder, longest
        self.process: subprocess.Popen[bytes] | None = None

    def judge(self, seed: int, number: int) -> Judged:
        """Have one file read."""
        process = self.started()
        until, spent = time.monotonic() + PATIENCE * self.longest, _core_seconds(process.pid)
        _write(process.stdin, f"{seed} {number}\n")
        while (line := _line(process.stdout, self.longest / 10)) is None and time.monotonic() < until:
            if _core_seconds(process.pid) - spent > self.longest:
                break
        if line:
            verdict, detail = json.loads(line)
            return Judged(Verdict(verdict), detail)
        if line is None:
            self.close()
            return Judged(Verdict.HANG, f"{self.longest:g} s")
        return Judged(Verdict.DEATH, f"exit status {self.close(DYING)}; {self._last_words()}")

    def started(self) -> subprocess.Popen[bytes]:
        """The process, which has read the good files."""
        if self.process is not None:
            return self.process
        command = [sys.executable, str(FOLDER / "worker.py"), str(self.target)]
        with open(self.folder / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        if not _line(self.process.stdout, LONGEST_START):
            self.close(DYING)
            raise RuntimeError(f"{self.target.name} cannot read its own good files: {self._last_words()}")
        return self.process

    def _last_words(self) -> str:
        return " ".join((self.folder / "stderr").read_text(errors="replace").strip().splitlines()[-3:])

    def close(self, grace: float = 0.0) -> int:
        """End the process, which may end by itself in the seconds of `grace`; its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        process.kill()
        with process:  # which closes the pipes
            return process.wait()


def _core_seconds(pid: int) -> float:
    """What a process has had of the cores."""
    facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")  # user and system time, proc(5)


def _write(file: IO[bytes] | None, text: str) -> None:
    assert file is not None
    try:
        file.write(text.encode())
        file.flush()
    except BrokenPipeError:  # it is dead, as reading will show
        pass


def _line(file: IO[bytes] | None, seconds: float) -> bytes | None:
    """The next line; None where there is none in time, empty where there will be none."""
    assert file is not None
    ready, _, _ = select.select([file], [], [], seconds)
    return file.readline() if ready else None


@dataclass
class Count:
    """What became of the files of one target."""

    name: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    failed: list[tuple[int, Judged]] = field(default_factory=list)  # number of the file, and why
    slowest: float = 0.0  # seconds

    def add(self, number: int, judged: Judged, seconds: float) -> None:
        self.verdicts[judged.verdict] += 1
        self.slowest = max(self.slowest, seconds)
        if judged.verdict not in ALLOWED:
            self.failed.append((number, judged))


def run(target: Path, seed: int, numbers: Iterator[int], until: float, workers: int) -> Count:
    """Have files of one target read, in `workers` processes, until the numbers or the time are over."""
    count = Count(target.stem.removeprefix(PREFIX))

    def work(folder: Path) -> None:
        worker = Worker(target, folder)
        try:
            while time.monotonic() < until and (number := next(numbers, None)) is not None:
                worker.started()
                start = time.monotonic()
                judged = worker.judge(seed, number)
                count.add(number, judged, time.monotonic() - start)
        finally:
            worker.close()

    with tempfile.TemporaryDirectory(prefix="mindzoo-fuzz-") as top, ThreadPoolExecutor(workers) as pool:
        folders = [Path(top, str(rank)) for rank in range(workers)]
        for folder in folders:
            folder.mkdir()
        for done in [pool.submit(work, folder) for folder in folders]:
            done.result()
    return count


def table(counts: list[Count]) -> str:
    """A row for each target."""
    rows = [["target", "files", *(verdict.value for verdict in Verdict), "slowest"]]
    for count in counts:
        numbers = [count.verdicts.total(), *(count.verdicts[verdict] for verdict in Verdict)]
        rows.append([count.name, *map(str, numbers), f"{count.slowest:.1f} s"])
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def numbers(first: int, count: int) -> Iterator[int]:
    """Numbers of files, from the first on; of a count of 0 without end."""
    return iter(range(first, first + count)) if count else itertools.count(first)
