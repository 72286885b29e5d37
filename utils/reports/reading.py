"""What a run folder says: settings, environment, metrics, and the predictions of its best evaluation."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.utils.config.json_file import parse_json, read_json
from mindzoo.utils.config.recipe import read_mapping
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.files import is_special
from mindzoo.utils.records import ENVIRONMENT, FACTS, METRICS, numbered
from mindzoo.utils.reports import predictions
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.scores.metric import METRIC_KINDS, TOP1, Metric

Row = Mapping[str, Any]
LARGEST = 1e30  # what a line may say as a number
MOST = 1 << 40  # images, or epochs
OWN_PREDICTIONS = re.compile(r"predictions(_[0-9]{1,9})?\.jsonl")  # in the folder itself; see `records.numbered`


@dataclass(frozen=True)
class Run:
    """A training or an evaluation, as its folder tells it."""

    folder: Path
    settings: Row
    environment: Row
    epochs: Sequence[Row]  # lines of metrics.jsonl, one for each epoch that ended
    evaluations: Sequence[Row]  # and one for each evaluation
    predictions: Predictions | None
    predicted: Row | None  # the evaluation that the predictions are of
    notes: Sequence[str]  # what could not be read

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.folder.absolute().name

    @property
    def network(self) -> str:
        """What was trained or evaluated; "" where an older version did not write it."""
        return str(self.environment.get("network", ""))

    @property
    def seconds(self) -> float:
        """What the steps of a training took, or the best evaluation of an evaluation; NaN where it is not known."""
        if not self.epochs:
            return finite(self.best or {}, "seconds")
        known = [seconds for row in self.epochs if math.isfinite(seconds := finite(row, "seconds"))]
        return sum(known) if known else math.nan

    @property
    def metric(self) -> Metric:
        """By which the best evaluation is found."""
        return _metric(self.settings)

    @property
    def best(self) -> Row | None:
        """The evaluation that is best by the run's metric."""
        return _best(self.evaluations, self.metric)


def read_run(folder: Path, *, with_predictions: bool = True, is_growing: bool = False) -> Run:
    """Read a folder. What is damaged in it is left out, with a note.

    Args:
        with_predictions: without, only small files are read.
        is_growing: it may be written at this moment, so half a line at the end of its metrics is no damage.

    Raises:
        UserError: it is no folder of a run.
    """
    _check(folder)
    notes: list[str] = []
    settings = _kept(read_mapping, _newest(folder, FACTS), notes)
    environment = _kept(
        lambda path: read_json(path, "environment", "it is left out"), _newest(folder, ENVIRONMENT), notes
    )
    rows = list(metric_rows(folder / METRICS, notes, is_growing=is_growing))
    evaluations = [row for row in rows if row.get("kind") == "evaluation"]
    metric = _metric(settings or {})
    predicted = _last_with_predictions(evaluations, metric)
    found = None
    if predicted and with_predictions:
        found = _kept(predictions.read, folder / predicted["predictions"], notes)
        if found and (len(found), int(found.hits.sum())) != (predicted["total"], predicted["top1"]):
            notes.append(
                f"{predicted['predictions']} is of another evaluation than the best one in {METRICS}: left out"
            )
            found = None
    epochs = [row for row in rows if row.get("kind") == "epoch"]
    environment = environment if isinstance(environment, dict) else {}
    settings = {**(settings or {}), **_taken_from_checkpoint(evaluations, metric)}
    return Run(folder, settings, environment, epochs, evaluations, found, predicted, notes)


def finite(row: Row, key: str) -> float:
    """The number that a line has; NaN where it has none, which JSON cannot say."""
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) and abs(value) <= LARGEST else math.nan


def of_what(row: Row) -> str:
    """What was evaluated: an epoch, or a checkpoint by its name."""
    return f"epoch {row['epoch'] + 1}" if "epoch" in row else Path(str(row.get("checkpoint", "-"))).name


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is {'not a folder' if folder.exists() else 'missing'}; wanted the folder of a run")
    if any((folder / name).is_file() for name in (FACTS, METRICS)):
        return
    inside = sorted(path.parent.name for path in folder.glob(f"*/{FACTS}"))
    hint = f"; the runs in it are {shorten(reversed(inside))}: name one of them" if inside else ""
    raise UserError(f"{folder} is not the folder of a run: it has no {FACTS} and no {METRICS}{hint}")


def _newest(folder: Path, name: str) -> Path:
    """A run that went on wrote its files beside the first ones."""
    paths = (folder / numbered(name, number) for number in itertools.count(1))
    there = list(itertools.takewhile(Path.exists, paths))
    return there[-1] if there else folder / name


def _kept(read: Any, path: Path, notes: list[str]) -> Any:
    """What `read` makes of a file; None where it is missing or damaged, with a note."""
    if not path.exists():
        notes.append(f"there is no {path.name}")
        return None
    try:
        return read(path)
    except UserError as error:
        notes.append(str(error))
        return None


def metric_rows(path: Path, notes: list[str] | None = None, *, is_growing: bool = False) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl, without those that are no JSON or lack their counts.

    Args:
        notes: gets what is wrong.
        is_growing: see `read_run`.
    """
    notes = [] if notes is None else notes
    if not path.is_file() or is_special(path):
        if path.exists():
            notes.append(f"{path.name} is no file: left out")
        return
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    damaged = 0
    for number, line in enumerate(lines, 1):
        if _is_whole(row := _parsed(line)):
            yield row
        elif line.strip() and not (is_growing and number == len(lines)):
            damaged += 1
    if damaged:
        notes.append(f"{counted(damaged, 'line')} of {path.name} cannot be read: left out")


def _parsed(line: str) -> Any:
    """The value of a line of JSON; None where it is none."""
    try:
        return parse_json(line, finite=False)
    except ValueError:
        return None


def _is_whole(row: Any) -> bool:
    """Whether a line says what its kind has to say."""
    if not isinstance(row, dict):
        return False
    kind = row.get("kind")
    return _is_counted(row) if kind == "evaluation" else kind != "epoch" or _is_count(row.get("epoch"))


def _is_counted(row: Row) -> bool:
    """Whether a line has the counts of an evaluation, and an epoch where it says one."""
    if not all(_is_count(row.get(key, 0 if key == "epoch" else None)) for key in ("top1", "top5", "total", "epoch")):
        return False
    return row["total"] > 0 and max(row["top1"], row["top5"]) <= row["total"]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MOST


def _last_with_predictions(evaluations: Sequence[Row], metric: Metric) -> Row | None:
    """The best of those whose predictions are there: a training writes each file over that of an earlier evaluation."""
    last = {row["predictions"]: row for row in evaluations if isinstance(row.get("predictions"), str)}
    own = [row for name, row in last.items() if OWN_PREDICTIONS.fullmatch(name)]
    return _best(own, metric)


def _metric(settings: Row) -> Metric:
    """Of a training what its settings say; top-1 of an evaluation, and where an older version wrote the settings."""
    return METRIC_KINDS.get(str(settings.get("metric")), METRIC_KINDS[TOP1])


def _best(evaluations: Sequence[Row], metric: Metric) -> Row | None:
    return max(evaluations, key=metric.key, default=None)


def _taken_from_checkpoint(evaluations: Sequence[Row], metric: Metric) -> Row:
    """How images were prepared: a checkpoint brings that with it, and an evaluation's settings know nothing of it."""
    how = (_best(evaluations, metric) or {}).get("preprocessing")
    return how if isinstance(how, dict) else {}
