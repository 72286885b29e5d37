"""The ratios as a picture of bars: how many times as good the first arm of each comparison is as the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

ROW, MARGIN, TEXT, NUMBER, BARS = 30, 20, 500, 50, 560  # pixels
HEAD = "How many times as good (1: equal; lines: quartiles of the rounds)"
GOOD, BAD, INK, PALE = "#2f7d4f", "#b5522f", "#222222", "#c8c8c8"
WIDEST = 8.0  # times; bars on both sides end here


@dataclass(frozen=True)
class Bar:
    """Times as good, at the quartiles and in the middle; above 1 the first arm is better."""

    label: str
    low: float
    median: float
    high: float


def bars(results: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """A bar for each ratio; of units of which less is better it is turned over."""
    found = []
    for result in results:
        for ratio in result["ratios"]:
            values = [ratio["low"], ratio["median"], ratio["high"]]
            if result["better"] == "less":
                values = [1 / value for value in reversed(values)]
            found.append(Bar(f"{result['name']} ({result['unit']}), {result['base']} : {ratio['to']}", *values))
    return found


def draw(results: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Write a PNG file."""
    listed = bars(results)
    height = 2 * MARGIN + ROW * (len(listed) + 1)
    picture = Image.new("RGB", (TEXT + BARS + 2 * (NUMBER + MARGIN), height), "white")
    canvas, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    canvas.text((MARGIN, MARGIN), HEAD, fill=INK, font=font)
    for place, bar in enumerate(listed, start=1):
        _draw(canvas, bar, MARGIN + place * ROW, font)
    middle = _across(1.0)
    canvas.line([(middle, MARGIN + ROW - 4), (middle, height - MARGIN)], fill=INK)
    picture.save(target, format="PNG")


def _draw(canvas: ImageDraw.ImageDraw, bar: Bar, top: int, font: Any) -> None:
    centre = top + ROW // 2
    left, right = sorted((_across(1.0), _across(bar.median)))
    canvas.text((MARGIN, top + 6), bar.label, fill=INK, font=font)
    canvas.rectangle([left, top + 5, right, top + ROW - 6], fill=GOOD if bar.median >= 1 else BAD)
    canvas.line([(_across(bar.low), centre), (_across(bar.high), centre)], fill=PALE, width=3)
    canvas.text(
        (right + 6 if bar.median >= 1 else left - NUMBER + 8, top + 6), f"{bar.median:.2f}", fill=INK, font=font
    )


def _across(times: float) -> int:
    """Where a ratio stands, on a scale of logarithms: twice as good is as far from 1 as half as good."""
    share = math.log(min(max(times, 1 / WIDEST), WIDEST)) / math.log(WIDEST)
    return round(MARGIN + TEXT + NUMBER + BARS * (share + 1) / 2)
