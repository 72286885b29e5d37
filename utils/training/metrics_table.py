"""metrics.csv: an epoch a row, for spreadsheets. It is made anew of metrics.jsonl, so that the two cannot disagree."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import write_text
from mindzoo.utils.log import logger
from mindzoo.utils.records import METRICS, TABLE, EpochRecord, EvalResult
from mindzoo.utils.reports.reading import metric_rows

OF_TRAINING = (*(field.name for field in dataclasses.fields(EpochRecord)), "data_seconds")
OF_EVALUATION = ("accuracy", *(field.name for field in dataclasses.fields(EvalResult)))
PREFIX = "eval_"  # both have a loss
COLUMNS = (*OF_TRAINING, *(PREFIX + name for name in OF_EVALUATION))


def write(folder: Path) -> None:
    """Write the table of a training into its folder; without a row there is none.

    The run goes on where it cannot be written: metrics.jsonl has it all.
    """
    rows = by_epoch(folder)
    if not rows:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        write_text(folder / TABLE, text.getvalue())
    except UserError as error:
        logger.warning("%s; %s has the values", error, METRICS)


def by_epoch(folder: Path) -> list[dict[str, float]]:
    """What metrics.jsonl says of each epoch, by column. Of several lines of one epoch the last counts."""
    rows: dict[int, dict[str, float]] = {}
    for line in metric_rows(folder / METRICS):
        epoch = line.get("epoch")
        if not isinstance(epoch, int):
            continue  # an evaluation of a checkpoint
        row = rows.setdefault(epoch, {"epoch": epoch})
        if line.get("kind") == "epoch":
            row |= _numbers(line, OF_TRAINING)
        elif line.get("kind") == "evaluation":
            row |= {PREFIX + name: value for name, value in _numbers(line, OF_EVALUATION).items()}
    return [rows[epoch] for epoch in sorted(rows)]


def _numbers(line: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    return {name: line[name] for name in names if isinstance(line.get(name), (int, float))}
