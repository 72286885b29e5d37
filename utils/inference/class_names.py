"""Names for the outputs of a network whose checkpoint has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.data.class_names import read_class_names
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger


def named(made_from: Source, given: str) -> Source:
    """`made_from` with the class names in the file `given`, where one is given.

    Raises:
        UserError: the file is wrong, or the checkpoint has other names itself.
    """
    if not given:
        return made_from
    checkpoint = made_from.checkpoint
    names, own = read_class_names(Path(given), made_from.plan.num_classes), checkpoint.classes
    if own and names[: len(own)] != own:
        raise UserError(
            f"classes is {given}, and {checkpoint.path} has other names itself: {shorten(own, 3)}; leave it out"
        )
    if len(own) == len(names):
        logger.info("classes has no effect: %s has these names itself", checkpoint.path)
    return dataclasses.replace(
        made_from, checkpoint=dataclasses.replace(checkpoint, meta={**checkpoint.meta, "classes": names})
    )


def say_numbers(made_from: Source) -> None:
    """Say that there are no names, where there are none."""
    if not made_from.checkpoint.classes:
        path = made_from.checkpoint.path
        logger.info("%s has no class names: the numbers of its outputs stand for them; --classes FILE names them", path)
