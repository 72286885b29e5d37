"""Faults of the process: it is killed, asked to stop, or started twice."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

from mindzoo.tests.faults import comparison
from mindzoo.tests.faults.chain import Act, Bed, Broken, Fault, Missed, Stated
from mindzoo.tests.faults.process import Command, pause, steps_in
from mindzoo.tests.faults.variants import STEPS


def at_step(training: Command, step: int) -> None:
    """Wait until so many steps are done.

    Raises:
        Missed: the training was over before.
    """
    if not training.wait_for_step(step):
        raise Missed


def sigkill(training: Command, bed: Bed, step: int) -> None:
    """At any moment of a step."""
    at_step(training, step)
    pause(bed.random.random() * 0.02)
    training.kill()


def sigkill_compiling(training: Command, bed: Bed, step: int) -> None:
    """Before the first step of the process."""
    if not training.wait_for(lambda line: "compiling the training graph" in line):
        raise Missed
    pause(bed.random.random() * 2)
    training.kill()


def sigkill_saving(training: Command, bed: Bed, step: int) -> None:
    """While a file has its unfinished name."""
    at_step(training, step)
    while training.process.poll() is None and not any(unfinished(bed.run)):
        pass
    training.kill()


def sigkill_evaluating(training: Command, bed: Bed, step: int) -> None:
    """Between the end of an epoch and the line with its accuracy, or shortly after."""
    at_step(training, step)
    already = len(training.lines)
    if not training.wait_for(lambda line: "mean loss" in line and line not in training.lines[:already]):
        raise Missed
    pause(bed.random.random() * 0.02)
    training.kill()


def sigterm(training: Command, bed: Bed, step: int) -> None:
    """It ends the step, and saves."""
    _asked(training, step, signal.SIGTERM, (143,))


def sigint(training: Command, bed: Bed, step: int) -> None:
    """Ctrl-C; while a graph runs MindSpore makes SIGTERM of it."""
    _asked(training, step, signal.SIGINT, (130, 143))


def damaged(training: Command, bed: Bed, step: int) -> None:
    """Killed, and then the newest file is found cut off, or with another bit."""
    at_step(training, step)
    training.kill()
    places = comparison.places(bed.variant, bed.run)
    if not places:
        return
    newest = max(places, key=lambda path: places[path])
    content = bytearray(newest.read_bytes())
    if bed.random.random() < 0.5:
        del content[bed.random.randrange(len(content)) :]
    else:
        content[bed.random.randrange(len(content))] ^= 1 << bed.random.randrange(8)
    newest.write_bytes(content)
    left = comparison.places(bed.variant, bed.run)
    bed.saved = min(bed.saved, max(left.values(), default=0))


def second_run(training: Command, bed: Bed, step: int) -> None:
    """Another process wants to go on in the same folder while the first one is there."""
    at_step(training, step)
    training.send(signal.SIGSTOP)
    try:
        if training.process.poll() is not None:
            raise Missed
        other = bed.start()
        status = other.end()
        if status != 2 or "is in use by process" not in other.said:
            raise Broken(f"a second run into the same folder ended with {status}: {other.said[-300:]}")
    finally:
        training.kill()


def goes_on_with(key: str, value: str) -> Act:
    """Killed, and it goes on with another value, which gives other bits, and is said."""

    def act(training: Command, bed: Bed, step: int) -> None:
        sigkill(training, bed, max(step, 2 * STEPS))  # something is saved by then
        other = bed.start(f"--{key}", value)
        status = other.end()
        line = re.search(rf"resume: ({key} was .* but not to the bit.*)", other.said)
        if status != 0 or line is None:
            raise Broken(f"going on with {key} {value} ended with {status}: {other.said[-300:]}")
        raise Stated(line[1])

    return act


def unfinished(run: Path) -> Iterator[Path]:
    """Files that are being written."""
    if run.is_dir():
        yield from (path for path in run.iterdir() if ".tmp" in path.name)


def _asked(training: Command, step: int, number: int, wanted: tuple[int, ...]) -> None:
    at_step(training, step)
    training.send(number)
    status = training.end()
    if status == 0:
        raise Missed
    if status not in wanted:
        raise Broken(f"signal {number} ended it with {status}: {training.said[-300:]}")
    done, last = max(map(steps_in, training.lines)), training.lines[-1]
    if f"stopped at step {done}" not in training.said:
        raise Broken(f"step {done} was done, and the last line is: {last}")


SIGKILL = Fault("SIGKILL at a step", sigkill)
COMPILING = Fault("SIGKILL while compiling", sigkill_compiling)
SAVING = Fault("SIGKILL while saving", sigkill_saving)
EVALUATING = Fault("SIGKILL while evaluating", sigkill_evaluating)
SIGTERM = Fault("SIGTERM", sigterm)
SIGINT = Fault("SIGINT", sigint)
DAMAGED = Fault("SIGKILL, newest file damaged", damaged)
SECOND_RUN = Fault("second run into the folder", second_run)
OTHERS = (
    Fault("SIGKILL, other number of workers", goes_on_with("workers", "2")),
    Fault("SIGKILL, other batch size", goes_on_with("batch_size", "4")),
)
