"""class_scores.csv: a class a row, for spreadsheets."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from mindzoo.utils.answers.tables import inert
from mindzoo.utils.files import write_text
from mindzoo.utils.scores.by_class import ClassCounts

COLUMNS = ("class", "images", "hits", "predicted", "recall", "precision", "f1")


def write(path: Path, found: ClassCounts, names: Sequence[str]) -> None:
    """Write the table; a share that has no meaning, such as the recall of a class without images, is an empty cell.

    Args:
        names: of the classes; an output without one is called by its number.

    Raises:
        UserError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    counts = zip(found.images.tolist(), found.hits.tolist(), found.said.tolist(), strict=True)
    shares = zip(found.recall.tolist(), found.precision.tolist(), found.f1.tolist(), strict=True)
    for place, (whole, parts) in enumerate(zip(counts, shares, strict=True)):
        name = names[place] if place < len(names) else str(place)
        writer.writerow([inert(name), *whole, *("" if math.isnan(part) else f"{part:.6f}" for part in parts)])
    write_text(path, text.getvalue())
