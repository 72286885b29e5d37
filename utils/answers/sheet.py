"""The contact sheet: every picture with its name and what the network said, as one PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from mindzoo.utils.answers.answer import UNSURE, Answer, share
from mindzoo.utils.drawing.lettering import Lettering
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import said_of, whole_file
from mindzoo.utils.images.fault import Fault

SIDE, MARGIN, TEXT = 160, 10, 13  # pixels: of a picture's square, between tiles, of letters
MOST_COLUMNS, MOST_PICTURES = 10, 1000
GROUND, CARD, INK, DIM = "#f6f7f9", "#e8ebef", "#1b1f24", "#5b6672"
UNSURE_INK, FAULT_INK, FAULT_CARD = "#8a4b00", "#b42318", "#fdeceb"
Picture = Callable[[int], Image.Image]  # the place of an image -> RGB; raises Fault or OSError


def write(path: Path, answers: Sequence[Answer], picture: Picture) -> None:
    """Write the sheet, of the first MOST_PICTURES images.

    Args:
        picture: of every image that could be read.

    Raises:
        UserError: it cannot be written.
    """
    shown = answers[:MOST_PICTURES]
    columns = min(MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.3 * len(shown)))))
    captions = [_caption(answer) for answer in shown]
    lettering = Lettering(
        [*(word for caption in captions for word in caption), *(answer.fault for answer in shown)], TEXT
    )
    width, height = SIDE + MARGIN, SIDE + 2 * lettering.height + MARGIN + 4
    rows = math.ceil(len(shown) / columns)
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), GROUND)
    for place, answer in enumerate(shown):
        corner = (MARGIN + place % columns * width, MARGIN + place // columns * height)
        _draw(sheet, corner, answer, captions[place], lettering, partial(picture, place))
    with said_of(path), whole_file(path) as unfinished:
        sheet.save(unfinished, "PNG")


def _caption(answer: Answer) -> tuple[str, str]:
    """The file's name, and what was said of it."""
    name = Path(answer.image).name
    if answer.fault:
        return name, "could not be read"
    label, probability = answer.classes[0]
    return name, f"{f'{UNSURE}, ' if answer.unsure else ''}{label}: {share(probability)}"


def _draw(
    sheet: Image.Image,
    corner: tuple[int, int],
    answer: Answer,
    caption: tuple[str, str],
    lettering: Lettering,
    picture: Callable[[], Image.Image],
) -> None:
    draw, (left, top) = ImageDraw.Draw(sheet), corner
    draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), FAULT_CARD if answer.fault else CARD)
    reason = answer.fault
    if not reason:
        try:
            _paste(sheet, corner, picture())
        except (Fault, UserError, OSError):
            reason = "the picture is not there any more"
    for number, line in enumerate(lettering.lines(reason, SIDE - 16, 7) if reason else []):
        lettering.write(draw, (left + 8, top + 8 + number * lettering.height), line, FAULT_INK)
    ink = FAULT_INK if answer.fault else UNSURE_INK if answer.unsure else INK
    below = top + SIDE + 2
    lettering.write(draw, (left, below), lettering.fitted(caption[0], SIDE), DIM)
    lettering.write(draw, (left, below + lettering.height), lettering.fitted(caption[1], SIDE), ink)


def _paste(sheet: Image.Image, corner: tuple[int, int], picture: Image.Image) -> None:
    """Put a picture into its square, as large as it fits; the pixels of a small one stay squares."""
    factor = SIDE // max(picture.size)
    if factor > 1:
        picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    picture = ImageOps.contain(picture, (SIDE, SIDE))
    sheet.paste(picture, (corner[0] + (SIDE - picture.width) // 2, corner[1] + (SIDE - picture.height) // 2))
