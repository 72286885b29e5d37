"""Faults of what a training reads and writes: the disk is full, read-only or frozen; data vanish or break."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mindzoo.tests.faults.chain import Act, Bed, Broken, Fault, Missed
from mindzoo.tests.faults.kills import at_step, sigkill
from mindzoo.tests.faults.process import Command, pause

SIZE = 64  # MiB
BLOCK = 1 << 16


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a file system of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    tried = _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
    if tried.returncode == 0:
        _run("umount", folder)
    return tried.returncode == 0


def can_freeze(folder: Path) -> bool:
    """Whether it may freeze one that lies in a file, which takes a loop device."""
    try:
        with freezable_disk(folder / "tried"):
            frozen = _run("fsfreeze", "-f", folder / "tried").returncode == 0
            return frozen and _run("fsfreeze", "-u", folder / "tried").returncode == 0
    except OSError:
        return False


def full_disk(training: Command, bed: Bed, step: int) -> None:
    """The last byte of the run's disk is taken."""
    _stopped_at(training, step)
    filler = bed.output / "filler"
    _fill(filler)
    _goes_on_to_status_2(training, "No space left")
    filler.unlink()


def read_only_disk(training: Command, bed: Bed, step: int) -> None:
    """The run's folder can be read only, as after an error of the disk."""
    _stopped_at(training, step)
    where = bed.run
    _run("mount", "--bind", where, where)
    try:
        if _run("mount", "-o", "remount,bind,ro", where).returncode:
            raise Missed
        _goes_on_to_status_2(training, "Read-only file system")
    finally:
        training.kill()
        _run("umount", "--lazy", where)


def frozen_disk(training: Command, bed: Bed, step: int) -> None:
    """Nothing can be written for a moment, in which the process is killed or not."""
    at_step(training, step)
    _run("fsfreeze", "-f", bed.output)
    try:
        pause(0.5 + bed.random.random())
        killed = bed.random.random() < 0.5
        if killed:
            training.send(signal.SIGKILL)
    finally:
        _run("fsfreeze", "-u", bed.output)
    if killed:
        training.kill()
    else:
        sigkill(training, bed, step + 2)


def data_vanish(training: Command, bed: Bed, step: int) -> None:
    """The folder of the images is gone, and comes back for the next process."""
    at_step(training, step)
    away = bed.folder / "away"
    bed.data.rename(away)
    try:
        _ends_in_a_sentence(training)
    finally:
        away.rename(bed.data)


def broken_image(split: str, content: bytes | None) -> Act:
    """One image of a split is something else, or missing."""

    def act(training: Command, bed: Bed, step: int) -> None:
        at_step(training, step)
        image = bed.data / split / "red" / "003.png"
        kept = image.read_bytes()
        image.unlink()
        if content is not None:
            image.write_bytes(content)
        try:
            _ends_in_a_sentence(training)
        finally:
            image.write_bytes(kept)

    return act


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system in memory at `folder`."""
    folder.mkdir(parents=True)
    if _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", folder).returncode:
        raise OSError("no file system could be mounted")
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


@contextmanager
def freezable_disk(folder: Path) -> Iterator[None]:
    """An ext4 file system in a file beside `folder`, mounted there."""
    folder.mkdir(parents=True)
    image = folder.with_suffix(".ext4")
    with image.open("wb") as file:
        file.truncate(SIZE << 20)
    steps = (("mkfs.ext4", "-q", "-F", image), ("mount", "-o", "loop", image, folder))
    if any(_run(*step).returncode for step in steps):
        raise OSError("no file system could be made")
    try:
        yield
    finally:
        _run("umount", folder)
        image.unlink()


def _stopped_at(training: Command, step: int) -> None:
    at_step(training, step)
    training.send(signal.SIGSTOP)
    if training.process.poll() is not None:
        raise Missed


def _goes_on_to_status_2(training: Command, reason: str) -> None:
    training.send(signal.SIGCONT)
    status = training.end()
    if status != 2 or reason not in training.said or "the training goes on, and ends if" not in training.said:
        raise Broken(f"a disk that cannot be written ended it with {status}: {training.said[-400:]}")


def _ends_in_a_sentence(training: Command) -> None:
    status = training.end()
    if status == 0:
        raise Missed
    if status != 2 or "error: " not in training.said:
        raise Broken(f"it ended with {status}: {training.said[-400:]}")


def _fill(filler: Path) -> None:
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    size = BLOCK
    while size:
        try:
            os.write(descriptor, bytes(size))
        except OSError:
            size //= 2
    os.close(descriptor)


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    if shutil.which(str(command[0])) is None:
        return subprocess.CompletedProcess([], 127)
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


FULL = Fault("disk full", full_disk)
READ_ONLY = Fault("disk read-only", read_only_disk)
FROZEN = Fault("disk frozen", frozen_disk)
VANISH = Fault("data vanish", data_vanish)
IMAGES = (
    Fault("image becomes text", broken_image("train", b"hello")),
    Fault("image becomes empty", broken_image("train", b"")),
    Fault("image vanishes", broken_image("train", None)),
    Fault("evaluation image breaks", broken_image("val", b"hello")),
)
