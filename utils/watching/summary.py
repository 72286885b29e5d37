"""A run in a line: what it is, how far it is, and whether it still goes on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.records import ENVIRONMENT, FACTS, METRICS
from mindzoo.utils.reports.reading import Run, finite
from mindzoo.utils.reports.report import NAME as REPORT
from mindzoo.utils.training import run_lock

# The sizes and times of a run's files: a file that has both as before is not read again.
Stamp = tuple[tuple[int, int], ...]

GOING_ON, ENDED, SILENT, VANISHED = "going on", "ended", "silent", "vanished"
# Seconds without a line after which a run is silent: more than a first compilation takes, and than some epochs.
PATIENCE = 600.0
PATIENCE_IN_EPOCHS = 3


@dataclass(frozen=True)
class Summary:
    """What the list says of a run."""

    folder: Path
    network: str
    epoch: int | None  # the last one that ended, from 1; None of an evaluation, or before the first end
    epochs: int | None  # where the training ends
    best: float  # top-1 in 0..1; NaN where nothing was evaluated
    loss: float  # mean loss of the last epoch, or else of the last evaluation; NaN where none is known
    evaluations: int
    epoch_seconds: float  # of the last epoch; NaN where it is not known
    fault: str = ""  # why nothing could be read


@dataclass(frozen=True)
class State:
    """Whether a run goes on."""

    kind: str  # GOING_ON, ENDED, SILENT or VANISHED
    since: float = math.nan  # of a silent run: when something was written last, in seconds of the epoch

    def __str__(self) -> str:
        if self.kind != SILENT:
            return self.kind
        return f"silent since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}"


def stamp_of(folder: Path) -> Stamp:
    """Of the folder, since it may get a second config.yaml, and of what is read of it.

    Raises:
        OSError: the folder vanished.
    """
    about = folder.stat()
    return ((0, about.st_mtime_ns), *(_stamp(folder / name) for name in (METRICS, FACTS, ENVIRONMENT)))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return -1, 0
    return about.st_size, about.st_mtime_ns


def summary(run: Run) -> Summary:
    """Of a run that was read, with or without its predictions."""
    last = run.epochs[-1] if run.epochs else {}
    epochs = last.get("epochs", run.settings.get("max_epoch"))
    top1 = [row["top1"] / row["total"] for row in run.evaluations]
    newest = last or (run.evaluations[-1] if run.evaluations else {})
    return Summary(
        run.folder,
        run.network,
        last["epoch"] + 1 if last else None,
        epochs if isinstance(epochs, int) and epochs > 0 else None,
        max(top1, default=math.nan),
        finite(newest, "mean_loss" if last else "loss"),
        len(run.evaluations),
        finite(last, "seconds"),
    )


def unread(folder: Path, fault: str) -> Summary:
    """Of a run whose files cannot be read."""
    return Summary(folder, "", None, None, math.nan, math.nan, 0, math.nan, fault)


def state_of(found: Summary, now: float) -> State:
    """By the run's lock where it has one, else by its report, its last epoch, and when it wrote last.

    Args:
        now: in seconds of the epoch.
    """
    folder = found.folder
    if not folder.is_dir():
        return State(VANISHED)
    lives = run_lock.holder_lives(folder)
    if lives:
        return State(GOING_ON)
    written = max(_written(folder / name) for name in (METRICS, FACTS, ENVIRONMENT, f"{folder.name}_rank_0.log"))
    # An empty lock is what a file system without locks leaves.
    if lives is None and _stamp(folder / run_lock.NAME)[0] <= 0 and _is_done(found):
        return State(ENDED)
    patience = max(PATIENCE, PATIENCE_IN_EPOCHS * found.epoch_seconds)  # PATIENCE where that is NaN
    is_recent = lives is None and now - written < patience
    return State(GOING_ON) if is_recent else State(SILENT, written)


def _is_done(found: Summary) -> bool:
    """Whether the run wrote its report after all else, as one does that comes to its end, also within its first epoch."""
    report = _written(found.folder / REPORT)
    return report > 0 and report >= max(_written(found.folder / name) for name in (METRICS, FACTS, ENVIRONMENT))


def _written(path: Path) -> float:
    stamp = _stamp(path)
    return stamp[1] / 1e9
