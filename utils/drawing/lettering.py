"""Texts in pictures of Pillow, of any script: with the fonts of this machine where matplotlib is there to find them."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable
from itertools import groupby

from PIL import ImageDraw, ImageFont

from mindzoo.utils.drawing import fonts
from mindzoo.utils.errors import both_ends, visible

CUT = "…"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Lettering:
    """Writes texts of one size.

    Args:
        texts: all that will be written, for which fonts are chosen; what no font has is written as its number.
        size: in pixels.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        self.size = size
        used = [visible(text) for text in texts]
        if importlib.util.find_spec("matplotlib") is None:
            # Pillow's own font has no list of what it has.
            self.fonts: list[Font] = [ImageFont.load_default(size)]
            self.font_of: dict[str, int] = {}
            self.missing = {character for text in used for character in text if not character.isascii()}
            return
        logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # what it says of its own files is nothing to a user
        paths, self.missing = fonts.files([*used, CUT])
        self.fonts = [ImageFont.truetype(path, size) for path in paths.values()]
        has = [fonts.characters(path) for path in paths.values()]
        wanted = {*"".join(used)} - self.missing
        self.font_of = {
            one: next(number for number, own in enumerate(has) if one in own) for one in wanted if one not in has[0]
        }

    @property
    def height(self) -> int:
        """From one line to the next, in pixels."""
        return round(1.35 * self.size)

    def width(self, text: str) -> float:
        """Of a text as it is written, in pixels."""
        return sum(self.fonts[number].getlength(part) for number, part in self._parts(text))

    def fitted(self, text: str, width: float) -> str:
        """The text, without its middle where it is wider than so many pixels."""
        text = self._drawable(text)
        if self.width(text) <= width:
            return text
        cut = CUT if importlib.util.find_spec("matplotlib") else "..."
        kept = next(
            (kept for kept in range(min(len(text), 200), 0, -1) if self.width(both_ends(text, kept, cut)) <= width), 0
        )
        return both_ends(text, kept, cut)

    def lines(self, text: str, width: float, most: int) -> list[str]:
        """The text in at most so many lines, broken at blanks; the last one is cut."""
        words, lines = self._drawable(text).split(), [""]
        while words:
            longer = f"{lines[-1]} {words[0]}".strip()
            if lines[-1] and len(lines) < most and self.width(longer) > width:
                lines.append("")
            else:
                lines[-1], words = longer, words[1:]
        return [self.fitted(line, width) for line in lines]

    def write(self, draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, color: str) -> None:
        """Write a text whose upper left corner is at `place`."""
        left, base = place[0], place[1] + self.size
        for number, part in self._parts(text):
            font = self.fonts[number]
            draw.text(
                (left, base), part, color, font, anchor="ls" if isinstance(font, ImageFont.FreeTypeFont) else None
            )
            left += font.getlength(part)

    def _drawable(self, text: str) -> str:
        return fonts.drawable(visible(text), self.missing)

    def _parts(self, text: str) -> list[tuple[int, str]]:
        """The text in parts of one font each."""
        parts = groupby(self._drawable(text), key=lambda character: self.font_of.get(character, 0))
        return [(number, "".join(part)) for number, part in parts]
