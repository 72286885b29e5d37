"""The sizes of the classes as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mindzoo.utils.drawing import figures, fonts
from mindzoo.utils.errors import counted, visible
from mindzoo.utils.inspection.survey import Split
from mindzoo.utils.log import logger

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 60  # classes that have a bar and a name each
NAMED_OF_MANY = 3  # of the largest and of the smallest classes, where there are more
LONGEST_NAME = 32  # characters


def draw(path: Path, splits: Sequence[Split]) -> None:
    """Write a PNG with the number of images of each class that can be read.

    Up to MOST_NAMED classes are bars with names, the splits side by side. More are an outline, the largest class of the
    first split first, and the splits are one below the other.

    Raises:
        UserError: the file cannot be written.
    """
    classes = list(dict.fromkeys(name for split in splits for name in split.good))
    sizes = np.array([[split.good.get(name, 0) for name in classes] for split in splits])
    if len(classes) > MOST_NAMED:
        order = np.argsort(-sizes[0], kind="stable")
        classes, sizes = [classes[number] for number in order], sizes[:, order]
    shown, folders = [visible(name) for name in classes], [visible(split.name) for split in splits]
    family, missing = fonts.families(shown + folders)
    if missing:
        logger.info(
            "no font of this machine has %d characters of the class names, which the plot shows as numbers; a font such "
            "as Noto Sans CJK has them",
            len(missing),
        )
    names, titles = ([_short(fonts.drawable(text, missing)) for text in texts] for texts in (shown, folders))
    for number, split in enumerate(splits):
        titles[number] += f": {counted(sum(split.good.values()), 'image')}, {counted(len(split.good), 'class')}"
    with figures.styled(family):
        figure = _bars(names, sizes, titles) if len(classes) <= MOST_NAMED else _outlines(names, sizes, titles)
        figures.save(figure, path)
    logger.info("%s: images per class, drawn", path)


def _bars(names: list[str], sizes: np.ndarray, titles: list[str]) -> Figure:
    figure, panels = figures.panels((6.0 + 3.5 * len(titles), 1.4 + 0.24 * len(names)), 1, len(titles))
    for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        bars = panel.barh(range(len(names)), sizes[number], color=figures.COLORS[number])
        panel.bar_label(bars, padding=3, fontsize="small")
        panel.set_xlim(0, max(sizes[number].max() * 1.15, 1))
        panel.set_yticks(range(len(names)), names if number == 0 else [])
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.set_xlabel("images that can be read")
        _dress(panel, title, "x")
    return figure


def _outlines(names: list[str], sizes: np.ndarray, titles: list[str]) -> Figure:
    figure, panels = figures.panels((11.0, 3.6 * len(titles)), len(titles), 1)
    for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        panel.stairs(sizes[number], fill=True, color=figures.COLORS[number])
        panel.set_xlim(0, len(names))
        panel.set_ylim(0, max(sizes[number].max() * 1.08, 1))
        panel.set_ylabel("images that can be read")
        _dress(panel, title, "y")
        order = np.argsort(-sizes[number], kind="stable")
        ends = [", ".join(f"{names[k]} {sizes[number][k]}" for k in part)
                for part in (order[:NAMED_OF_MANY], order[-NAMED_OF_MANY:])]  # fmt: skip
        below = f"classes, by their size in the first panel\nlargest: {ends[0]}\nsmallest: {ends[1]}"
        if sizes[number].min() == sizes[number].max():
            below = f"classes, each with {counted(sizes[number][0], 'image')}"
        panel.set_xlabel(below, fontsize="small")
    return figure


def _dress(panel: Axes, title: str, axis: str) -> None:
    from matplotlib.ticker import MaxNLocator

    figures.dress(panel, title, axis)
    (panel.xaxis if axis == "x" else panel.yaxis).set_major_locator(MaxNLocator("auto", integer=True))


def _short(name: str) -> str:
    """A name with its beginning and its end, where it is long."""
    half = LONGEST_NAME // 2 - 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}...{name[-half:]}"
