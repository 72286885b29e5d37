"""`mindzoo selftest`: the steps in their order, each in a process of its own, and the two files about them."""

from __future__ import annotations

import datetime
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

from mindzoo import __version__
from mindzoo.utils import environment
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.doctor import ascend
from mindzoo.utils.errors import UserError, nearest
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.files import check_folder, said_of, write_json, write_text
from mindzoo.utils.log import logger
from mindzoo.utils.selftest import child, page
from mindzoo.utils.selftest.job import Job, Step
from mindzoo.utils.selftest.keys import SelftestConfig, StepConfig
from mindzoo.utils.selftest.outcome import Outcome
from mindzoo.utils.selftest.registry import STEPS
from mindzoo.utils.spec import ModelSpec

SCHEMA = 1
JSON, PAGE = "selftest.json", "selftest.html"
LEAST_SECONDS = 5.0  # that a step needs to begin


class Named(Protocol):
    """A network or a step."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class Entry:
    """A step, and the networks that it is about."""

    step: Step
    specs: Sequence[ModelSpec]

    @property
    def name(self) -> str:
        return f"{self.step.name} {self.specs[0].name}" if self.step.of_each_network else self.step.name


def run(specs: Sequence[ModelSpec], loaded: Loaded[StepConfig]) -> bool:
    """Take the steps, or the one of a call inside another; whether all is well, as far as it was tried.

    Raises:
        UserError: a step, a network or a device that there is none of, or a folder that cannot be written.
    """
    config = loaded.config
    check_not_empty(loaded)
    wanted, steps = chosen("networks", specs, config.networks), chosen("steps", STEPS, config.steps)
    if config.inside:
        take_inside(list(entries(steps, wanted)), config)
        return True
    device = find_device(config.device)
    folder = Path(config.output_dir)
    check_folder("output_dir", folder)
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    logger.info("selftest on %s, at most %.0f s", device, config.seconds)
    outcomes = []
    with said_of(folder), interrupted_by_sigterm():
        folder.mkdir(parents=True, exist_ok=True)
        for outcome in take_all(steps, wanted, config, device, folder):
            logger.info("%s", outcome)
            outcomes.append(outcome)
        write(folder, report(outcomes, config, device, started, wanted))
    logger.info("%s; to send: %s", summary(outcomes), " and ".join(str(folder / name) for name in (JSON, PAGE)))
    return not count(outcomes, "failed") and count(outcomes, "left out") < len(outcomes)


def check_not_empty(loaded: Loaded[StepConfig]) -> None:
    """Refuse what was given without a value, which a script does whose variable is empty.

    Raises:
        UserError: names the key.
    """
    for name, wanted in (("networks", "names of networks"), ("steps", "names of steps"), ("output_dir", "a folder")):
        if name in loaded.given and not getattr(loaded.config, name):
            raise UserError(f"{name} is given and empty; wanted {wanted}, or leave it out")


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block with an exception, so that the step under way is ended with its processes."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted("stopped before the last step", number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def chosen(key: str, items: Sequence[N], names: Sequence[str]) -> list[N]:
    """Those of the items that are named, in their own order; all of them where none is.

    Args:
        key: the configuration key with the names.

    Raises:
        UserError: there is none of that name.
    """
    known = [item.name for item in items]
    for name in names:
        if name not in known:
            raise UserError(f"{key} has {name}{nearest(name, known)}; there are {', '.join(known)}")
    return [item for item in items if item.name in names or not names]


def take_inside(listed: Sequence[Entry], config: StepConfig) -> None:
    """Take the one step of a call inside another.

    Raises:
        UserError: they are several, or there is no such folder.
    """
    folder = Path(config.inside)
    if len(listed) != 1 or not folder.is_dir():
        raise UserError(f"inside is {folder}, which is for mindzoo's own calls; leave it out")
    child.follow_parent()
    child.take(listed[0].name, listed[0].step, Job(config.device, config.small, folder, listed[0].specs))


def find_device(target: str) -> str:
    """The device that is tried. MindSpore is asked in another process, see `ascend.ask_mindspore`.

    Raises:
        UserError: it is absent, or MindSpore cannot be asked.
    """
    if target == "CPU":
        return target
    try:
        seen = ascend.ask_mindspore().ascend
    except LookupError as error:
        raise UserError(f"MindSpore cannot be imported: {error}; mindzoo doctor says more") from None
    if target == "Ascend" and not seen:
        raise UserError("device is Ascend, and MindSpore finds none here; mindzoo doctor says why, or use --device CPU")
    return "Ascend" if seen else "CPU"


def entries(steps: Sequence[Step], specs: Sequence[ModelSpec]) -> Iterator[Entry]:
    """The steps, those of each network once for each."""
    for step in steps:
        if step.of_each_network:
            yield from (Entry(step, [spec]) for spec in specs)
        else:
            yield Entry(step, specs)


def take_all(
    steps: Sequence[Step], specs: Sequence[ModelSpec], config: SelftestConfig, device: str, folder: Path
) -> Iterator[Outcome]:
    """What became of each step, as soon as it is known."""
    end = time.monotonic() + config.seconds
    for step in steps:
        if reason := step.why_not(device, config.small):
            yield Outcome(step.name, "left out", reason)
            continue
        for entry in entries([step], specs):
            left = end - time.monotonic()
            if left < LEAST_SECONDS:
                yield Outcome(entry.name, "left out", f"the {config.seconds:g} s for all steps are over")
            else:
                yield take(entry, config, device, folder, min(step.seconds, left))


def take(entry: Entry, config: SelftestConfig, device: str, folder: Path, seconds: float) -> Outcome:
    """One step in a process and a folder of its own, which is kept where the step fails."""
    work = Path(tempfile.mkdtemp(prefix=f"{entry.name.replace(' ', '_')}-", dir=folder.absolute()))
    names = ",".join(spec.name for spec in entry.specs)
    words = ["--steps", entry.step.name, "--networks", names, "--device", device, "--small", str(config.small).lower()]
    try:
        found = child.run(entry.name, words, work, seconds, enough=entry.step.seconds)
    except (KeyboardInterrupt, Interrupted):
        shutil.rmtree(work, ignore_errors=True)
        raise
    if found.result != "failed":
        shutil.rmtree(work, ignore_errors=True)
    else:
        logger.info("what %s printed is in %s", entry.name, work / child.LOG)
    return found


def report(
    outcomes: Sequence[Outcome], config: SelftestConfig, device: str, started: str, specs: Sequence[ModelSpec]
) -> dict[str, Any]:
    """All that is known, for JSON."""
    versions = next((outcome.numbers for outcome in outcomes if outcome.name == "versions"), {})
    return {
        "schema": SCHEMA,
        "mindzoo": __version__,
        "commit": environment.commit(),
        "device": device,
        "small": config.small,
        "networks": [spec.name for spec in specs],
        "started": started,
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "versions": dict(versions),
        "counts": {result: count(outcomes, result) for result in ("passed", "failed", "left out")},
        "steps": [asdict(outcome) for outcome in outcomes],
    }


def write(folder: Path, content: dict[str, Any]) -> None:
    """The report as JSON and as a page."""
    write_json(folder / JSON, content)
    write_text(folder / PAGE, page.text(content))


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many steps ended in which way; whether they are too few to say anything, and the commonest reason for that."""
    counts = ", ".join(f"{count(outcomes, result)} {result}" for result in ("passed", "failed", "left out"))
    reasons = Counter(outcome.said for outcome in outcomes if outcome.result == "left out")
    left_out = reasons.total()
    if 2 * left_out <= len(outcomes):
        return counts
    ((reason, times),) = reasons.most_common(1)
    tried = "nothing was tried" if left_out == len(outcomes) else "most was not tried"
    return f"{counts}, {times} of them since {reason}: {tried}"


def count(outcomes: Sequence[Outcome], result: str) -> int:
    """How many steps ended so."""
    return sum(outcome.result == result for outcome in outcomes)
