"""The ratios as a picture of bars: how many times as good the first arm of each comparison is as the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

# Pixels. A page may show the picture at half its size: letters of 24 are still read then.
LETTERS, LINE, ROW, MARGIN, GAP = 24, 32, 76, 24, 12
BARS = 520  # the two longest bars together
GOOD, BAD, INK, COLORS = "#2f7d4f", "#b5522f", "#222222", 32
WIDEST = 8.0  # times; bars on both sides end here
HEAD = (
    "How many times as good: a bar to the right is better, none is equal.",
    f"Thin lines: the quartiles of the rounds. Bars end at {WIDEST:g} times.",
)


@dataclass(frozen=True)
class Bar:
    """Times as good, at the quartiles and in the middle; above 1 the first arm is better."""

    label: tuple[str, str]  # what is compared; who with whom
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
            label = (f"{result['name']} ({result['unit']})", f"{result['base']} : {ratio['to']}")
            found.append(Bar(label, *values))
    return found


def draw(results: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Write a PNG file."""
    picture(bars(results)).quantize(COLORS).save(target, format="PNG", optimize=True)


def picture(listed: Sequence[Bar]) -> Image.Image:
    """The bars below each other, with room for the longest label and the longest number."""
    font = ImageFont.load_default(LETTERS)
    texts = _longest(font, (line for bar in listed for line in bar.label))
    number = GAP + _longest(font, map(_number, listed))
    left = MARGIN + texts + GAP + number  # where the longest bar to the left ends
    width = max(left + BARS + number, MARGIN + _longest(font, HEAD)) + MARGIN
    top = MARGIN + len(HEAD) * LINE + GAP
    made = Image.new("RGB", (width, top + ROW * len(listed) + MARGIN), "white")
    canvas = ImageDraw.Draw(made)
    canvas.font = font
    for place, line in enumerate(HEAD):
        canvas.text((MARGIN, MARGIN + place * LINE), line, fill=INK)
    for place, bar in enumerate(listed):
        _draw(canvas, bar, left, top + place * ROW + ROW // 2)
    middle = left + _across(1.0)
    canvas.line([(middle, top), (middle, top + ROW * len(listed))], fill=INK, width=2)
    return made


def _draw(canvas: ImageDraw.ImageDraw, bar: Bar, left: int, centre: int) -> None:
    """A row: the label, the bar, the line of its quartiles, and the number beyond both."""
    is_better = bar.median >= 1
    low, one, median, high = (left + _across(times) for times in (bar.low, 1.0, bar.median, bar.high))
    for line, anchor in zip(bar.label, ("ld", "la"), strict=True):
        canvas.text((MARGIN, centre), line, fill=INK, anchor=anchor)
    begin, end = sorted((one, median))
    canvas.rectangle([begin, centre - 20, end, centre + 20], fill=GOOD if is_better else BAD)
    canvas.line([(low, centre), (high, centre)], fill=INK, width=3)
    place, anchor = (high + GAP, "lm") if is_better else (low - GAP, "rm")
    canvas.text((place, centre), _number(bar), fill=INK, anchor=anchor)


def _longest(font: Any, texts: Iterable[str]) -> int:
    return round(max(map(font.getlength, texts), default=0))


def _number(bar: Bar) -> str:
    return f"{bar.median:.2f}"


def _across(times: float) -> int:
    """Where a ratio stands, on a scale of logarithms: twice as good is as far from 1 as half as good."""
    share = math.log(min(max(times, 1 / WIDEST), WIDEST)) / math.log(WIDEST)
    return round(BARS * (share + 1) / 2)
