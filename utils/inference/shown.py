"""What a prediction leaves beside its lines: files for other programs, a page, a contact sheet, heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from mindzoo.utils.answers import page, sheet, tables
from mindzoo.utils.answers.answer import Answer
from mindzoo.utils.answers.page import About
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.data.transforms import Preprocessing, preprocessed, seen
from mindzoo.utils.drawing import contact_sheet
from mindzoo.utils.errors import counted
from mindzoo.utils.explaining.heat import enlarged
from mindzoo.utils.explaining.methods import ENDS, METHODS, READING
from mindzoo.utils.files import check_output
from mindzoo.utils.images.small import small_picture
from mindzoo.utils.inference import heat_maps
from mindzoo.utils.inference.inputs import Given
from mindzoo.utils.inference.keys import PredictConfig
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec


def check(config: PredictConfig) -> None:
    """Refuse what cannot be written, before anything is computed.

    Raises:
        UserError: says why.
    """
    check_output("output", config.output, tables.SUFFIXES)
    check_output("html", config.html, (".html",))
    check_output("contact_sheet", config.contact_sheet, (".png",))
    heat_maps.check(config)


def about(spec: ModelSpec, made_from: Source, config: PredictConfig) -> About:
    """What the page says of all images."""
    size = "x".join(map(str, made_from.preprocessing.image_size))
    sentence = f"{spec.title} at {size} pixels, {Path(made_from.checkpoint.path).name}"
    if config.explain not in METHODS:
        return About(sentence)
    return About(sentence, READING[config.explain], ENDS[config.explain])


def write(
    config: PredictConfig, images: Sequence[Given], answers: Sequence[Answer], said: About, how: Preprocessing
) -> None:
    """Write what was asked for, and say so.

    Raises:
        UserError: it cannot be written.
    """
    if config.output:
        tables.write(Path(config.output), [answer.row() for answer in answers if not answer.fault])
        logger.info("wrote %s", config.output)
    small = partial(_small, images, how.orientation)
    if config.html:
        picture = partial(_seen, images, how) if said.reading else partial(small, page.SIDE)
        page.write(Path(config.html), answers, said, picture, lambda place: heat_maps.read(answers[place].heat_map))
        logger.info("wrote %s", config.html)
    if config.contact_sheet:
        sheet.write(Path(config.contact_sheet), answers, partial(small, contact_sheet.SIDE))
        logger.info("wrote %s", config.contact_sheet)
        if len(answers) > contact_sheet.MOST_PICTURES:
            logger.info("note: it shows the first %d of %d images", contact_sheet.MOST_PICTURES, len(answers))
    drawn = sum(bool(answer.heat_map) for answer in answers)
    if drawn:
        logger.info("wrote %s into %s", counted(drawn, "heat map"), heat_maps.folder_of(config))


def _small(images: Sequence[Given], orientation: str, side: int, place: int) -> Image.Image:
    """A picture as it is in its file."""
    return small_picture(images[place].read(), orientation, side)


def _seen(images: Sequence[Given], how: Preprocessing, place: int) -> Image.Image:
    """A picture as the network saw it, drawn as large as its heat map."""
    return enlarged(Image.fromarray(seen(preprocessed(images[place].read(), how), how)))
