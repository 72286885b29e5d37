"""By which number the best of several evaluations is found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOP1 = "top1"


@dataclass(frozen=True)
class Metric:
    """A number of an evaluation, none below 0."""

    title: str  # in a sentence
    field: str  # of a line of metrics.jsonl
    falls: bool = False  # the lower, the better

    def value(self, row: Mapping[str, Any]) -> float:
        """Of a line of metrics.jsonl, or of `vars` of an EvalResult; NaN where it does not say."""
        if self.field == TOP1:
            return float(row["top1"]) / float(row["total"])
        value = row.get(self.field)
        return float(value) if isinstance(value, (int, float)) else math.nan

    def is_better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Whether `value` is better than another, by more than `by`; any number is better than none."""
        if than is None or math.isnan(value):
            return not math.isnan(value)
        return value < than - by if self.falls else value > than + by

    def key(self, row: Mapping[str, Any]) -> float:
        """The higher, the better; below all others where the line does not say."""
        value = self.value(row)
        return -math.inf if math.isnan(value) else -value if self.falls else value


METRIC_KINDS = {
    TOP1: Metric("top-1", TOP1),
    "balanced": Metric("balanced accuracy", "balanced_accuracy"),
    "macro_f1": Metric("macro F1", "macro_f1"),
    "loss": Metric("loss", "loss", falls=True),
}


def value_of_best(best: Mapping[str, Any] | None, metric: str) -> float | None:
    """The value of the best evaluation that a checkpoint tells of; None where there is none, or by another metric.

    Older checkpoints have its accuracy alone.
    """
    if best is None or best.get("metric", TOP1) != metric:
        return None
    return float(best.get("value", best["accuracy"]))
