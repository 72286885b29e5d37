"""Figures of matplotlib, which comes with mindzoo's extra `plots`."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import said_of, whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#2c7fb8", "#d95f0e", "#756bb1")  # they differ for colour-blind eyes too
GRID = "#dddddd"
DPI = 120


def check_library(given: str, otherwise: str) -> None:
    """Refuse a figure where nothing can draw it.

    Args:
        given: what asks for the figure.
        otherwise: what else there is to do.

    Raises:
        UserError: says what to install.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError(
            f"{given}, and takes matplotlib, which is not installed; pip install matplotlib, or {otherwise}"
        )


@contextmanager
def styled(family: Sequence[str]) -> Iterator[None]:
    """Figures of the block have these fonts, and show all texts as they are."""
    # What it says of its own files is nothing to a user.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    from matplotlib import rc_context

    with rc_context({"font.family": family, "text.parse_math": False}):
        yield


def panels(size: tuple[float, float], rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches, and its panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def dress(panel: Axes, title: str, axis: str) -> None:
    """Give a panel its title, and thin lines for the values of `axis`."""
    panel.set_title(title)
    panel.grid(axis="x" if axis == "x" else "y", color=GRID)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Raises:
        UserError: it cannot be written.
    """
    with said_of(path), whole_file(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=DPI)
