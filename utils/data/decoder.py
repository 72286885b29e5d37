"""What decodes the JPEG pictures of a training: our own reader of parts, or MindSpore."""

from __future__ import annotations

from mindzoo.utils import environment
from mindzoo.utils.config.image_keys import DECODER_CHOICES
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.native import jpeg_part
from mindzoo.utils.native.building import UnavailableError

VARIABLE = "MINDZOO_DECODER"
MINDSPORE, NATIVE = DECODER_CHOICES[1:]


def choose(given: str) -> str:
    """The decoder that the key `decoder` means on this machine.

    Raises:
        UserError: the native one is asked for and cannot be used, or MINDZOO_DECODER has a value that means nothing.
    """
    wanted = environment.asked_for(given, VARIABLE, DECODER_CHOICES)
    if wanted == MINDSPORE:
        return MINDSPORE
    try:
        jpeg_part.opened()
    except UnavailableError as error:
        if wanted == NATIVE:
            raise UserError(f"decoder is {NATIVE}, and it cannot be used: {error}; use --decoder auto") from None
        logger.info("JPEG files are decoded by MindSpore, which draws other parts of them: %s", error)
        return MINDSPORE
    return NATIVE
