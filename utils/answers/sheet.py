"""The contact sheet of a prediction: every picture with its name and what the network said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from mindzoo.utils.answers.answer import UNSURE, Answer, share
from mindzoo.utils.drawing import contact_sheet
from mindzoo.utils.drawing.contact_sheet import DIM, FAULT_INK, INK, Tile
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault

UNSURE_INK = "#8a4b00"
Picture = Callable[[int], Image.Image]  # the place of an image -> RGB; raises Fault or OSError


def write(path: Path, answers: Sequence[Answer], picture: Picture) -> None:
    """Write the sheet, of the first images; see `contact_sheet.write`.

    Args:
        picture: of every image that could be read.

    Raises:
        UserError: it cannot be written.
    """
    contact_sheet.write(path, [_tile(answer, partial(picture, place)) for place, answer in enumerate(answers)])


def _tile(answer: Answer, picture: Callable[[], Image.Image]) -> Tile:
    """The picture, the file's name, and what was said of it."""
    name = (Path(answer.image).name, DIM)
    if answer.fault:
        return Tile(partial(_content, picture), (name, ("could not be read", FAULT_INK)), answer.fault)
    label, probability = answer.classes[0]
    said = f"{f'{UNSURE}, ' if answer.unsure else ''}{label}: {share(probability)}"
    return Tile(partial(_content, picture), (name, (said, UNSURE_INK if answer.unsure else INK)))


def _content(picture: Callable[[], Image.Image]) -> Image.Image | str:
    try:
        return picture()
    except (Fault, UserError, OSError):
        return "the picture is not there any more"
