"""Drawings as SVG: the confusion matrix and the reliability diagram. The page's colours are theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from mindzoo.utils.errors import visible
from mindzoo.utils.pages.frame import escaped
from mindzoo.utils.scores.calibration import BINS, Calibration

CELL = {12: 38, 25: 24, 50: 14}  # pixels of a cell's side, by the most classes that it is used for
LONGEST_LABEL = 18  # characters
LONGEST_TOLD = 80  # of a name below the matrix
LETTER = 6.2  # pixels that a character of a label takes, about


def matrix(counts: np.ndarray, names: Sequence[str]) -> str:
    """A confusion matrix: a row for each class, a column for what was said.

    Args:
        counts: (n, n) images.
        names: (n) plain texts.
    """
    size = len(names)
    side = next(pixels for most, pixels in CELL.items() if size <= most)
    shown = [_short(visible(name), LONGEST_LABEL) for name in names]
    edge = round(max(map(len, shown)) * LETTER) + 12
    of_row = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    parts = [_cell(edge, side, row, column, counts, of_row) for row, column in np.argwhere(counts).tolist()]
    for place, name in enumerate(map(escaped, shown)):
        middle = edge + place * side + side / 2
        parts.append(f'<text x="{edge - 6}" y="{middle:.0f}" class="row">{name}</text>')
        parts.append(f'<text transform="translate({middle:.0f} {edge - 6}) rotate(-90)" class="column">{name}</text>')
    whole = edge + size * side + 2
    told = escaped(json.dumps([_short(visible(name), LONGEST_TOLD) for name in names], ensure_ascii=False))
    return f"""<div class="box whole" tabindex="0" role="group" aria-label="Confusion matrix"><svg class="matrix" role="img"
 aria-label="Confusion matrix of {size} classes; the table of pairs says the same" width="{whole}" height="{whole}"
 viewBox="0 0 {whole} {whole}" data-names="{told}">
<rect x="{edge}" y="{edge}" width="{size * side}" height="{size * side}" class="ground"/>
{"".join(parts)}</svg></div>
<output class="told">Rows are the classes, columns what the network said. Point at a cell to read it.</output>
"""


def _cell(edge: int, side: int, row: int, column: int, counts: np.ndarray, of_row: np.ndarray) -> str:
    """A rectangle, darker the larger its share of the row is; with the count where there is room."""
    kind = "right" if row == column else "wrong"
    x, y, strength = edge + column * side, edge + row * side, 0.15 + 0.85 * of_row[row, column]
    drawn = (
        f'<rect x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" class="{kind}" fill-opacity="{strength:.2f}" '
        f'data-at="{row},{column},{counts[row, column]}"/>'
    )
    if side < CELL[25]:
        return drawn
    contrast = " strong" if strength > 0.55 else ""
    return f'{drawn}<text x="{x + side / 2:.0f}" y="{y + side / 2:.0f}" class="count{contrast}">{counts[row, column]}</text>'


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def reliability(found: Calibration) -> str:
    """A bar for each bin that has images, as high as the accuracy, and a mark at its confidence."""
    side, edge = 300, 36
    width = side / BINS
    bars = []
    for place in np.flatnonzero(found.counts).tolist():
        accuracy, sure = found.accuracy[place], found.confidence[place]
        x, high = edge + place * width, accuracy * side
        bars.append(
            f'<rect x="{x + 1:.1f}" y="{side - high + 8:.1f}" width="{width - 2:.1f}" height="{max(high, 1):.1f}" class="bar"/>'
            f'<circle cx="{edge + sure * side:.1f}" cy="{side - accuracy * side + 8:.1f}" r="3.5" class="mark"/>'
        )
    ticks = "".join(
        f'<text x="{edge - 6}" y="{side - share * side / 100 + 8:.0f}" class="row">{share}%</text>'
        f'<text x="{edge + share * side / 100:.0f}" y="{side + 26}" class="tick">{share}%</text>'
        for share in (0, 50, 100)
    )
    return f"""<svg class="reliability" role="img" aria-label="Reliability diagram; the table says the same"
 width="{side + edge + 24}" height="{side + 52}" viewBox="0 0 {side + edge + 24} {side + 52}">
<rect x="{edge}" y="8" width="{side}" height="{side}" class="ground"/>
{"".join(bars)}<line x1="{edge}" y1="{side + 8}" x2="{edge + side}" y2="8" class="ideal"/>{ticks}
<text x="{edge + side / 2}" y="{side + 46}" class="tick">probability of what was said</text></svg>
"""
