"""What is said of an evaluation after the lines of the network's original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mindzoo.utils.errors import counted
from mindzoo.utils.scores.by_class import ClassCounts

MOST_NAMED = 5


def means(by_class: ClassCounts, calibration_error: float) -> str:
    """One line of the numbers over all classes."""
    there = int(by_class.present.sum())
    without = len(by_class.images) - there
    left_out = f", {without} without images left out" if without else ""
    return (
        f"over {counted(there, 'class')}{left_out}: balanced accuracy {by_class.balanced_accuracy:.4f}, "
        f"macro F1 {by_class.macro_f1:.4f}, expected calibration error {calibration_error:.4f}"
    )


def worst(by_class: ClassCounts, names: Sequence[str]) -> Iterator[str]:
    """A line of the classes of which least was found, and one of those that are least often right; none where all is right."""
    for title, shares, whole in (
        ("lowest recall", by_class.recall, by_class.images),
        ("lowest precision", by_class.precision, by_class.said),
    ):
        known = np.flatnonzero(by_class.present & (shares < 1))
        order = known[np.argsort(shares[known], kind="stable")][:MOST_NAMED].tolist()
        said = (
            f"{_name(place, names)} {shares[place]:.2f} ({by_class.hits[place]} of {whole[place]})" for place in order
        )
        if order:
            yield f"{title}: {', '.join(said)}"


def _name(place: int, names: Sequence[str]) -> str:
    """An output without a name is called by its number."""
    return names[place] if place < len(names) else str(place)
