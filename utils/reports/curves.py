"""The curves of runs, as data for the page's script, and as tables for those who do not see or run it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mindzoo.utils.reports.reading import Row, Run, finite


@dataclass(frozen=True)
class Series:
    """The values of one run by epoch, from 1."""

    run: int  # its number on the page, from 0
    name: str
    values: dict[int, float]


@dataclass(frozen=True)
class Chart:
    """Curves that share an axis."""

    title: str
    unit: str  # behind a value: "%" or ""
    series: Sequence[Series]

    @property
    def epochs(self) -> list[int]:
        """All that have a value."""
        return sorted({epoch for series in self.series for epoch in series.values})

    def data(self) -> dict[str, Any]:
        """For the script: a column of epochs, and one of each series with null where it has no value."""
        epochs = self.epochs
        series = [{"run": series.run, "name": series.name} for series in self.series]
        columns = [[series.values.get(epoch) for epoch in epochs] for series in self.series]
        return {"title": self.title, "unit": self.unit, "series": series, "columns": [epochs, *columns]}


# Of a line of metrics.jsonl: its value, NaN where it has none.
Value = Callable[[Row], float]


def charts(runs: Sequence[Run], names: Sequence[str]) -> list[Chart]:
    """Those that the runs have values for.

    Args:
        names: of the runs, put before those of the curves; "" for a run alone.
    """
    listed: list[tuple[str, str, dict[str, tuple[str, Value]]]] = [
        ("Loss", "", {"training": ("epochs", _of("mean_loss")), "validation": ("evaluations", _of("loss"))}),
        ("Accuracy", "%", {"top-1": ("evaluations", _share("top1")), "top-5": ("evaluations", _top5)}),
        (
            "Means over the classes",
            "%",
            {
                "balanced accuracy": ("evaluations", _percent("balanced_accuracy")),
                "macro F1": ("evaluations", _percent("macro_f1")),
            },
        ),
        ("Expected calibration error", "%", {"validation": ("evaluations", _percent("calibration_error"))}),
        ("Learning rate", "", {"rate": ("epochs", _of("lr"))}),
        ("Images per second", "", {"training": ("epochs", _of("images_per_second"))}),
        ("Time waiting for data", "%", {"training": ("epochs", _waiting)}),
    ]
    made = [Chart(title, unit, [*_series(runs, names, curves)]) for title, unit, curves in listed]
    return [chart for chart in made if chart.series]


def _series(runs: Sequence[Run], names: Sequence[str], curves: dict[str, tuple[str, Value]]) -> Iterator[Series]:
    for number, (run, name) in enumerate(zip(runs, names, strict=True)):
        for curve, (rows, value) in curves.items():
            found = {row["epoch"] + 1: value(row) for row in getattr(run, rows) if "epoch" in row}
            values = {epoch: float(f"{number:.6g}") for epoch, number in found.items() if math.isfinite(number)}
            if values:
                yield Series(number, f"{name} {curve}".strip(), values)


def _of(key: str) -> Value:
    return lambda row: finite(row, key)


def _share(key: str) -> Value:
    return lambda row: 100 * row[key] / row["total"]


def _percent(key: str) -> Value:
    return lambda row: 100 * finite(row, key)


def _top5(row: Row) -> float:
    """NaN where there are fewer than five classes, of which another number was counted."""
    return 100 * row["top5"] / row["total"] if row.get("k", 5) == 5 else math.nan


def _waiting(row: Row) -> float:
    seconds = finite(row, "seconds")
    return 100 * finite(row, "data_seconds") / seconds if seconds else math.nan
