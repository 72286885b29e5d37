"""What differs between runs, as plain texts: results, settings, environments, and which images they get right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mindzoo.utils.errors import counted
from mindzoo.utils.reports import figures, pairing
from mindzoo.utils.reports.markup import Column, duration, number, percent, plain
from mindzoo.utils.reports.pairing import Pairing
from mindzoo.utils.reports.reading import Run, finite, of_what

RESULTS = (
    Column("Run"), Column("Network"), Column("Top-1", True), Column("Hits", True), Column("Images", True),
    Column("Balanced", True), Column("Macro F1", True), Column("ECE", True), Column("Best of"), Column("Best by"), Column("Epochs", True), Column("Last loss", True), Column("Images/s", True), Column("Time"),
)  # fmt: skip
APART = ("command", "started")  # of an environment: they always differ
LEAST_P = 0.0001  # a smaller one is not told from it
ABSENT = "-"


class Differing(NamedTuple):
    """A setting, or a fact of the environment, that runs do not share."""

    name: str
    values: Sequence[str]  # one for each run; ABSENT where it has none


def results(runs: Sequence[Run], names: Sequence[str]) -> list[list[str]]:
    """A row for each run, with a cell for each of RESULTS. The counts are those of its best evaluation."""
    return [[name, run.network or ABSENT, *_counts(run), *_course(run)] for run, name in zip(runs, names, strict=True)]


def _counts(run: Run) -> list[str]:
    best = run.best
    if best is None:
        return [ABSENT] * 8
    found, error = run.predictions, finite(best, "calibration_error")
    if math.isnan(error) and found and (int(found.hits.sum()), len(found)) == (best["top1"], best["total"]):
        error = figures.calibration(found).error  # an older version did not say it
    means = [finite(best, key) for key in ("balanced_accuracy", "macro_f1")]
    return [
        percent(best["top1"] / best["total"]), f"{best['top1']:,}", f"{best['total']:,}",
        *(ABSENT if math.isnan(share) else percent(share) for share in (*means, error)),
        of_what(best), run.metric.title,
    ]  # fmt: skip


def _course(run: Run) -> list[str]:
    """Of a training what its epochs say; of an evaluation its loss and its time."""
    if run.epochs:
        last = run.epochs[-1]
        said = [f"{last['epoch'] + 1:,}", *(number(finite(last, key)) for key in ("mean_loss", "images_per_second"))]
        return [*said, duration(run.seconds)]
    best = run.best or {}
    return [ABSENT, number(finite(best, "loss")), ABSENT, duration(run.seconds)]


def settings(runs: Sequence[Run]) -> list[Differing]:
    """The settings that are not the same in all runs that have them, in the order of the first."""
    rows = _differing([run.settings for run in runs])
    return [row for row in rows if len({*row.values} - {ABSENT}) > 1]


def only_some(runs: Sequence[Run]) -> list[Differing]:
    """The settings that some runs do not have, and that are the same in the others: an evaluation has no learning rate."""
    rows = _differing([run.settings for run in runs])
    return [row for row in rows if len({*row.values} - {ABSENT}) == 1]


def environments(runs: Sequence[Run]) -> list[Differing]:
    """Versions, device, engine and folder of images that are not the same."""
    return _differing([_environment(run) for run in runs])


def _environment(run: Run) -> dict[str, object]:
    about = {name: value for name, value in run.environment.items() if name not in APART}
    if run.best and "engine" in run.best:
        about["engine"] = run.best["engine"]
    if run.predictions:
        about["evaluated images"] = run.predictions.root
    return about


def _differing(all_values: Sequence[Mapping[str, object]]) -> list[Differing]:
    names = dict.fromkeys(str(name) for values in all_values for name in values)
    rows = [
        Differing(name, [plain(values[name]) if name in values else ABSENT for values in all_values]) for name in names
    ]
    return [row for row in rows if len({*row.values}) > 1]


def common(pair: Pairing) -> str:
    """How many images two evaluations share, and how many they do not."""
    if not len(pair):
        return "They have no image in common: no file name and class of one is in the other. So nothing can be said image by image."
    said = f"Images that both have: {len(pair):,}."
    alone = [len(found) - len(pair) - pair.relabelled for found in (pair.first, pair.second)]
    if any(alone):
        said += f" Left out: {alone[0]:,} that only the first has, and {alone[1]:,} that only the second has."
    if pair.relabelled:
        said += f" Left out as well: {counted(pair.relabelled, 'file')} whose class has another name in the second."
    return said


def verdict(pair: Pairing) -> str:
    """What McNemar's test says."""
    _, first, second, _ = pair.table
    if not first + second:
        return "nothing to test: both are right on the same images"
    found = pairing.mcnemar(first, second)
    is_small = found.p < LEAST_P
    p = f"p < {LEAST_P:.4f}" if is_small else f"p = {found.p:.2g}"
    share = f"less than {100 * LEAST_P:.2f}" if is_small else f"{100 * found.p:.3g}"
    how = "exact" if found.is_exact else "chi-square"
    return f"{p} ({how}): if both were equally good, chance alone would make a difference this large in {share}% of all cases"
