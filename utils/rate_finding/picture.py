"""The curve of a test of learning rates as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mindzoo.utils.config.reading import show
from mindzoo.utils.drawing import figures, fonts
from mindzoo.utils.rate_finding.curve import Curve
from mindzoo.utils.rate_finding.suggestion import Suggestions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (8.0, 4.8)  # inches
PALE = "#9ecae1"
HEADROOM = 0.08  # of the panel's height, above and below


def draw(path: Path, title: str, curve: Curve, found: Suggestions | None) -> None:
    """Write a PNG with the loss of each update and its running mean over the rate, and marks at what they suggest.

    Raises:
        UserError: it cannot be written.
    """
    with figures.styled([fonts.OWN]):
        figure, (panel,) = figures.panels(SIZE)
        count = curve.finite
        rates, means = curve.rates[:count], curve.smoothed[:count]
        panel.plot(rates, curve.losses[:count], color=PALE, linewidth=1, label="loss of an update")
        panel.plot(rates, means, color=figures.COLORS[0], linewidth=2, label="running mean")
        if found:
            panel.axvline(found.valley, color=figures.COLORS[1], label=f"suggested: {show(found.valley)}")
            panel.axvline(
                found.steepest, color=figures.COLORS[2], linestyle=":", label=f"steepest: {show(found.steepest)}"
            )
            panel.axvline(found.least, color="#555555", linestyle="--", label=f"least / 10: {show(found.least)}")
        _frame(panel, curve, count)
        panel.set_xlabel("learning rate (--lr)")
        panel.set_ylabel("loss")
        figures.dress(panel, title, "y")
        panel.legend(frameon=False, fontsize="small")
        figures.save(figure, path)


def _frame(panel: Axes, curve: Curve, count: int) -> None:
    """Show all losses up to the least mean; where the loss diverges, what is higher leaves the panel."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: show(rate)))
    panel.xaxis.set_minor_formatter(NullFormatter())
    if not count:
        return
    least = int(np.argmin(curve.smoothed[:count]))
    low, high = min(curve.losses[:count]), max(curve.losses[: least + 1])
    margin = HEADROOM * (high - low) or 1.0
    panel.set_ylim(low - margin, high + margin)
