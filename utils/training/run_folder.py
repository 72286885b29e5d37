"""The folder of a run: configuration, environment, class names, metrics, log. Nothing in it is ever deleted here."""

from __future__ import annotations

import datetime
import itertools
import math
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np

from mindzoo import __version__
from mindzoo.utils import log, ranks
from mindzoo.utils.config import reading
from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.environment import commit
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import json_line, json_text, write_text
from mindzoo.utils.records import CLASS_SCORES, CLASSES, ENVIRONMENT, FACTS, METRICS, PREDICTIONS, numbered
from mindzoo.utils.reports import predictions
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.reports.reading import metric_rows
from mindzoo.utils.runtime import World
from mindzoo.utils.scores.by_class import ClassCounts
from mindzoo.utils.training import class_scores, metrics_table, run_lock

STAMP = "%Y-%m-%d_time_%H_%M_%S"


class RunFolder:
    """A folder that exists, with the log file of this rank open."""

    def __init__(self, path: Path, rank: int) -> None:
        self.path, self.rank = path, rank
        self.log_name = f"{path.resolve().name}_rank_{rank}.log"
        log.open_file(path / self.log_name)

    def write_facts(self, network: str, settings: Any, device: str, classes: Sequence[str] = ()) -> None:
        """config.yaml, environment.json and, where there are class names, classes.json."""
        self._write(FACTS, reading.to_yaml(settings))
        self._write(ENVIRONMENT, json_text(environment(network, device)))
        if classes:
            self._write(CLASSES, json_text(list(classes)))

    def add_metrics(self, **values: Any) -> None:
        """One line of metrics.jsonl; on rank 0 only, since the values are those of all ranks."""
        if self.rank == 0:
            with open(self.path / METRICS, "a", encoding="utf-8") as file:
                file.write(json_line(values))
            metrics_table.write(self.path)

    def metrics(self, step: int) -> list[dict[str, Any]]:
        """What metrics.jsonl says of this step."""
        return [row for row in metric_rows(self.path / METRICS) if row.get("step") == step]

    def add_predictions(self, found: Predictions, number: int = 1) -> dict[str, str]:
        """A file of predictions, over one of that number, on rank 0 only; what metrics.jsonl says of it.

        The run goes on where it cannot be written: a report can do without.
        """
        name = numbered(PREDICTIONS, number)
        try:
            if self.rank == 0:
                predictions.write(self.path / name, found)
        except UserError as error:
            log.logger.warning("%s; the report will lack what it is made of", error)
            return {}
        return {"predictions": name}

    def add_class_scores(self, found: ClassCounts, names: Sequence[str], number: int = 1) -> None:
        """The table of the classes beside the predictions of that number, on rank 0 only; the run goes on without it."""
        try:
            if self.rank == 0:
                class_scores.write(self.path / numbered(CLASS_SCORES, number), found, names)
        except UserError as error:
            log.logger.warning("%s; %s has the images", error, PREDICTIONS)

    def take_history(self, folder: Path, step: int) -> None:
        """Begin metrics.jsonl with what that of `folder`, perhaps this one, says up to `step`: the rest is done again."""
        path = folder / METRICS
        if self.rank or not path.exists():
            return
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
        write_text(self.path / METRICS, "".join(line for line in lines if _step_of(line) <= step))
        metrics_table.write(self.path)

    def _write(self, name: str, text: str) -> None:
        """Beside the file of an earlier run, not over it."""
        paths = (self.path / numbered(name, number) for number in itertools.count(1))
        path = next(path for path in paths if not path.exists())
        if self.rank == 0:
            write_text(path, text)


def create(output_dir: str, *, dated: bool, world: World, go_on_in: Path | None = None) -> RunFolder:
    """The folder: `output_dir` itself, or one inside it that was not there before.

    With `dated` it is named by the time; else it is there for the second run into one `output_dir`, which would
    otherwise write its checkpoints over those of the first. Rank 0 chooses the name for all.

    Args:
        go_on_in: the folder of an earlier run that this one continues; it is used as it is.

    Raises:
        UserError: it cannot be made.
    """
    with _writable(output_dir):
        return RunFolder(_made(output_dir, dated, world, go_on_in), world.rank)


@contextmanager
def entered(output_dir: str, *, dated: bool, world: World, go_on_in: Path | None = None) -> Iterator[RunFolder]:
    """`create`, for one training at a time; what one that died has left half written is removed.

    Raises:
        UserError: the folder cannot be made, or another training writes to it.
    """
    with _writable(output_dir):
        path = _made(output_dir, dated, world, go_on_in)
        held = run_lock.holding(path) if world.rank == 0 else nullcontext()
    with held:
        if world.rank == 0:
            for unfinished in path.glob(".*.tmp*"):
                unfinished.unlink(missing_ok=True)
        with _writable(output_dir):
            folder = RunFolder(path, world.rank)
        yield folder


@contextmanager
def _writable(output_dir: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write into output_dir {output_dir}: {error.strerror}") from None


def _made(output_dir: str, dated: bool, world: World, go_on_in: Path | None) -> Path:
    chosen = ranks.first(world, lambda: os.path.relpath(go_on_in or _choose(output_dir, dated, world), output_dir))
    path = Path(output_dir) / chosen
    path.mkdir(parents=True, exist_ok=True)
    return path


def _choose(output_dir: str, dated: bool, world: World) -> Path:
    path = Path(output_dir)
    path.mkdir(parents=True, exist_ok=True)
    if dated:
        return _new_inside(path)
    return _numbered_inside(path) if world.rank == 0 and (path / FACTS).exists() else path


def environment(network: str, device: str) -> dict[str, Any]:
    """What a run needs to be understood later: network, versions, device, commit, command, time."""
    return {
        "network": network,
        "mindzoo": __version__,
        "mindspore": ms.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "commit": commit(),
        "command": [sys.executable, *sys.argv],
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _step_of(line: str) -> float:
    """The step that a line of metrics.jsonl is of; infinity for one that was cut off, or is none of ours."""
    try:
        return float(parse_json(line, finite=False)["step"])
    except (ValueError, LookupError, TypeError):
        return math.inf


def _new_inside(parent: Path) -> Path:
    stamp = datetime.datetime.now().strftime(STAMP)
    for suffix in ("", *(f"_{number}" for number in range(1, 1000))):
        try:
            (parent / (stamp + suffix)).mkdir()
            return parent / (stamp + suffix)
        except FileExistsError:
            continue
    raise FileExistsError(17, "too many runs started in this second", str(parent))


def _numbered_inside(parent: Path) -> Path:
    number = 2
    while (parent / f"run_{number}").exists():
        number += 1
    (parent / f"run_{number}").mkdir()
    return parent / f"run_{number}"
