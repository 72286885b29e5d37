"""A contact sheet: many pictures side by side, each with lines of text below it, as one PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from mindzoo.utils.drawing.lettering import Lettering
from mindzoo.utils.files import said_of, whole_file

SIDE, MARGIN, TEXT = 160, 10, 13  # pixels: of a picture's square, between tiles, of letters
MOST_COLUMNS, MOST_PICTURES = 10, 1000
GROUND, CARD, INK, DIM = "#f6f7f9", "#e8ebef", "#1b1f24", "#5b6672"
FAULT_INK, FAULT_CARD = "#b42318", "#fdeceb"


@dataclass(frozen=True)
class Tile:
    """A picture and what stands below it."""

    picture: Callable[[], Image.Image | str]  # RGB; or what is said in its place
    lines: tuple[tuple[str, str], ...]  # texts with their colours, from top to bottom
    fault: str = ""  # said in place of the picture, which is not asked for


def write(path: Path, tiles: Sequence[Tile]) -> None:
    """Write the sheet, of the first MOST_PICTURES tiles, of which there must be one.

    Raises:
        UserError: it cannot be written.
    """
    tiles = tiles[:MOST_PICTURES]
    columns = min(MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.3 * len(tiles)))))
    lettering = Lettering([text for tile in tiles for text in (*(line for line, _ in tile.lines), tile.fault)], TEXT)
    most_lines = max(len(tile.lines) for tile in tiles)
    width, height = SIDE + MARGIN, SIDE + most_lines * lettering.height + MARGIN + 4
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), GROUND)
    for place, tile in enumerate(tiles):
        corner = (MARGIN + place % columns * width, MARGIN + place // columns * height)
        _draw(sheet, corner, tile, lettering)
    with said_of(path), whole_file(path) as unfinished:
        sheet.save(unfinished, "PNG")


def _draw(sheet: Image.Image, corner: tuple[int, int], tile: Tile, lettering: Lettering) -> None:
    draw, (left, top) = ImageDraw.Draw(sheet), corner
    draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), FAULT_CARD if tile.fault else CARD)
    content = tile.fault or tile.picture()
    if isinstance(content, str):
        for number, line in enumerate(lettering.lines(content, SIDE - 16, 7)):
            lettering.write(draw, (left + 8, top + 8 + number * lettering.height), line, FAULT_INK)
    else:
        _paste(sheet, corner, content)
    for number, (text, color) in enumerate(tile.lines):
        place = (left, top + SIDE + 2 + number * lettering.height)
        lettering.write(draw, place, lettering.fitted(text, SIDE), color)


def _paste(sheet: Image.Image, corner: tuple[int, int], picture: Image.Image) -> None:
    """Put a picture into its square, as large as it fits; the pixels of a small one stay squares."""
    factor = SIDE // max(picture.size)
    if factor > 1:
        picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    picture = ImageOps.contain(picture, (SIDE, SIDE))
    sheet.paste(picture, (corner[0] + (SIDE - picture.width) // 2, corner[1] + (SIDE - picture.height) // 2))
