"""One training that meets one fault after another."""

from __future__ import annotations

import random
import re
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from mindzoo.tests.faults import comparison
from mindzoo.tests.faults.process import Command, Job
from mindzoo.tests.faults.variants import EPOCHS, SINGLE, STEPS, WEIGHTS, Variant, write_data
from mindzoo.tests.faults.verdicts import Outcome, Verdict, failed
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.checkpoints.checkpoint_file import BEST

STARTED = ("going on from", "starting from the beginning", "nothing to do")


class Missed(Exception):  # noqa: N818 - nothing went wrong
    """The training was over before the fault could happen."""


class Broken(Exception):  # noqa: N818 - it is a promise that is broken
    """What the training did at a fault is not what it promises; the text says what."""


class Stated(Exception):  # noqa: N818 - nothing went wrong
    """The training went on to its end, and said what differs from one without the fault; the text says what."""


@dataclass
class Bed:
    """A training's own data and output folder, in which it is started again and again."""

    variant: Variant
    folder: Path
    random: random.Random = field(default_factory=random.Random)
    saved: int = 0  # the newest step that the training said is saved

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def run(self) -> Path:
        """The folder of the newest run; the output folder itself where the network makes none of its own."""
        return max((path.parent for path in self.output.glob("*/config.yaml")), default=self.output)

    def command(self, *more: str) -> list[str]:
        """What starts the training, or lets it go on."""
        flags = [*self.variant.flags(self.data, self.output), "--resume", "auto", *more]
        zoo = [sys.executable, str(ROOT)]
        if self.variant.ranks == 1:
            return [*zoo, self.variant.command, self.variant.network, *flags]
        return [*zoo, "launch", self.variant.network, "train", "--ranks", str(self.variant.ranks), "--", *flags]

    def start(self, *more: str) -> Command:
        kind = Job if self.variant.ranks > 1 else Command
        return kind(self.command(*more), self.folder)

    def check_start(self, training: Command, places: dict[Path, int]) -> None:
        """Wait for the line that says where the training goes on, and hold it against what was saved.

        Raises:
            Broken: it does not go on, or from an older state than it said was saved.
        """
        line = training.wait_for(lambda line: any(text in line for text in STARTED))
        if line is None:
            raise Broken(f"it did not go on: {training.said[-300:]}")
        path = re.search(r"going on from (\S.*\.ckpt)", line)
        step = places.get(Path(path[1]), -1) if path else 0
        if step < self.saved:
            raise Broken(f"step {self.saved} was saved, and it goes on at {step}: {line[-200:]}")

    def look(self, training: Command) -> None:
        """After a process ended: remember what it said is saved.

        Raises:
            Broken: it failed with a traceback. A rank that lost another may: MindSpore's own says what it waited for.
        """
        if self.variant.ranks == 1 and "Traceback" in training.said:
            raise Broken(f"traceback: {training.said[-400:]}")
        named = {Path(line.partition("saved ")[2]) for line in training.lines if re.search(r"saved \S.*\.ckpt$", line)}
        self.saved = max(
            [self.saved, *(s for path, s in comparison.places(self.variant, self.run).items() if path in named)]
        )


Act = Callable[[Command, Bed, int], None]


@dataclass(frozen=True)
class Fault:
    """Something that happens to a training.

    Args:
        act: gets the training, its bed and the step at which it is to happen, and returns when the process is over.
            Raises Missed or Broken.
    """

    name: str
    act: Act


@dataclass(frozen=True)
class Chain:
    """A training, the faults that it is to meet, and the disk that it writes to."""

    variant: Variant
    faults: Sequence[Fault]
    disk: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext()

    def run(self, folder: Path, seed: int, references: References) -> list[Outcome]:
        """Let the training meet the faults, and compare its end. `folder` is kept where something is wrong."""
        try:
            whole = references.of(self.variant)
        except Broken as broken:
            return [Outcome("none", self.variant.name, self.variant.ranks, Verdict.LOST, str(broken))]
        bed = Bed(self.variant, folder, random.Random(seed))
        references.prepare(bed)
        with self.disk(bed.output):
            outcomes = _meet(bed, self.faults, whole)
        if not failed(outcomes):
            shutil.rmtree(folder, ignore_errors=True)
        return outcomes


def _meet(bed: Bed, faults: Sequence[Fault], whole: Path) -> list[Outcome]:
    variant, outcomes = bed.variant, list[Outcome]()
    per_fault = EPOCHS * STEPS / (len(faults) + 1)
    try:
        for number, fault in enumerate(faults):
            training = bed.start()
            try:
                if outcomes:
                    bed.check_start(training, comparison.places(variant, bed.run))
                target = round((number + bed.random.random()) * per_fault)
                outcomes.append(Outcome(fault.name, variant.name, variant.ranks))
                fault.act(training, bed, max(target, 1))
            finally:
                _clean(training)
            bed.look(training)
    except Missed:
        outcomes.pop()
    except Stated as stated:
        outcomes[-1].fail(Verdict.STATED, str(stated))
        return outcomes
    except Broken as broken:
        outcomes[-1].fail(Verdict.LOST, f"{broken} [{bed.folder}]")
        return outcomes
    if outcomes:
        _finish(bed, whole, outcomes)
    return outcomes


def _finish(bed: Bed, whole: Path, outcomes: list[Outcome]) -> None:
    """Let the training run to its end; all faults before share the verdict."""
    training = bed.start()
    try:
        bed.check_start(training, comparison.places(bed.variant, bed.run))
        status = training.end()
        if status != 0:
            raise Broken(f"it ended with status {status}: {training.said[-300:]}")
        bed.look(training)
    except Broken as broken:
        outcomes[-1].fail(Verdict.LOST, f"{broken} [{bed.folder}]")
        return
    finally:
        _clean(training)
    found = comparison.differences(bed.variant, whole, bed.run)
    for outcome in outcomes:
        if found:
            outcome.fail(Verdict.SILENT, f"{'; '.join(found)} [{bed.folder}]")


def _clean(training: Command) -> None:
    if training.process.poll() is None:
        training.kill()


class References:
    """The same trainings without a break, each made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, variant: Variant) -> Path:
        """The folder of its run.

        Raises:
            Broken: it does not come to its end.
        """
        name = f"{variant.name} {variant.ranks}".replace(" ", "_")
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            bed = Bed(variant, self.folder / name)
            if not bed.folder.exists():
                self.prepare(bed)
                training = bed.start()
                status = training.end()
                if status != 0:
                    raise Broken(f"{variant.name} ends with status {status} by itself: {training.said[-2000:]}")
            return bed.run

    def prepare(self, bed: Bed) -> None:
        """Write its data, and the weights that a fine-tuning begins from: those of the first training.

        Raises:
            Broken: as `of`.
        """
        write_data(bed.data)
        if bed.variant.command == "finetune":
            shutil.copy(self.of(SINGLE[0]) / BEST, bed.data / WEIGHTS)
