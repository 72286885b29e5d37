"""Processes of a benchmark: each in a group of its own, which is ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LAST_LINES = 20
PATIENCE = 5.0  # seconds between asking a group to end and ending it
# Children decide these for themselves: a cap on the instructions would slow down peers that need none.
NOT_HANDED_ON = ("PYTHONPATH", "ONEDNN_MAX_CPU_ISA", "VIRTUAL_ENV")


class ChildFailed(Exception):  # noqa: N818 - the name says it
    """A process of the benchmark ended in another way than it should; holds the last lines that it wrote."""


@dataclass
class Child:
    """A running process, and the file that its stderr goes to."""

    process: subprocess.Popen[str]
    errors: IO[bytes]
    words: Sequence[str]

    def failed(self) -> ChildFailed:
        """What to raise where it did not do what it should."""
        status = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        name = " ".join(Path(word).name for word in self.words[:2])
        return ChildFailed("\n".join([f"{name} ended with status {status}; its last lines:", *lines]))


@contextlib.contextmanager
def started(
    words: Sequence[str], environment: Mapping[str, str], *, folder: Path, stdout: int = subprocess.PIPE
) -> Iterator[Child]:
    """Start a process in `folder`; its group is ended when the block is left.

    A group of its own: Ctrl-C reaches the benchmark alone, which then ends its children one by one.
    """
    kept = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=errors,
            text=True,
            env={**kept, **environment},
            cwd=folder,
            start_new_session=True,
        )
        try:
            yield Child(process, errors, words)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the whole group: what a worker started must not stay either."""
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)


def run(words: Sequence[str], environment: Mapping[str, str], *, folder: Path) -> None:
    """Run a command to its end.

    Raises:
        ChildFailed: it ended with another status than 0.
    """
    with started(words, environment, folder=folder, stdout=subprocess.DEVNULL) as child:
        assert child.process.stdin is not None
        child.process.stdin.close()
        if child.process.wait() != 0:
            raise child.failed()
