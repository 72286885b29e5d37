"""Heat maps as pictures: the image in grey, the map in colours over it, and a legend below."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mindzoo.utils.drawing import ramp
from mindzoo.utils.drawing.lettering import Lettering
from mindzoo.utils.explaining.methods import ENDS, TITLES
from mindzoo.utils.files import said_of, whole_file

LEAST_SIDE = 224  # pixels: smaller images are drawn larger, by a whole number
HEAT = 0.55  # the share of the colour in a pixel, of the grey the rest
LEGEND, MARGIN, BAR, TEXT = 58, 6, 8, 12  # pixels: height of the legend, and of what is in it
GROUND, INK = "#ffffff", "#1b1f24"


class Painter:
    """Draws the heat maps of one command.

    Args:
        method: one of `methods.METHODS`.
        names: of all classes.
    """

    def __init__(self, method: str, names: Iterable[str]) -> None:
        self.method = method
        self.lettering = Lettering([*names, TITLES[method], *ENDS[method], ": , 0123456789.%"], TEXT)

    def write(self, path: Path, pixels: np.ndarray, heat: np.ndarray, about: str) -> None:
        """Write a PNG.

        Args:
            pixels: (H, W, 3) uint8, as the network saw the image.
            heat: (h, w), see `overlay`.
            about: what the map explains: a class, with its probability.

        Raises:
            UserError: it cannot be written.
        """
        drawn = overlay(pixels, heat)
        picture = Image.new("RGB", (drawn.width, drawn.height + LEGEND), GROUND)
        picture.paste(drawn, (0, 0))
        self._legend(picture, about)
        with said_of(path), whole_file(path) as unfinished:
            picture.save(unfinished, "PNG")

    def _legend(self, picture: Image.Image, about: str) -> None:
        draw, write = ImageDraw.Draw(picture), self.lettering
        inside, top = picture.width - 2 * MARGIN, picture.height - LEGEND + MARGIN
        title = write.fitted(f"{TITLES[self.method]}: {about}", inside)
        write.write(draw, (MARGIN, top), title, INK)
        top += write.height
        bar = ramp.colors(np.linspace(0, 1, inside)[None].repeat(BAR, 0))
        picture.paste(Image.fromarray(bar), (MARGIN, top))
        low, high = ENDS[self.method]
        write.write(draw, (MARGIN, top + BAR), low, INK)
        write.write(draw, (MARGIN + inside - write.width(high), top + BAR), high, INK)


def overlay(pixels: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image in grey under the colours of the heat map, RGB, at least LEAST_SIDE pixels high and wide.

    Args:
        pixels: (H, W, 3) uint8.
        heat: (h, w) float32. Its largest value gets the lightest colour; what is 0 or less, the darkest.
    """
    below = enlarged(Image.fromarray(pixels))
    grey = np.asarray(below.convert("L"), np.float32)[..., None]
    strongest = float(np.nanmax(heat, initial=0.0))
    share = np.nan_to_num(np.clip(heat, 0, None)) / strongest if strongest > 0 else np.zeros_like(heat)
    smooth = Image.fromarray(share.astype(np.float32)).resize(below.size, Image.Resampling.BILINEAR)
    mixed = HEAT * ramp.colors(np.asarray(smooth)) + (1 - HEAT) * grey
    return Image.fromarray(mixed.round().astype(np.uint8))


def enlarged(picture: Image.Image) -> Image.Image:
    """A picture that is small is drawn so many times as large that it can be looked at; its pixels stay squares."""
    factor = -(-LEAST_SIDE // min(picture.size))
    if factor <= 1:
        return picture
    return picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)


def without_legend(picture: Image.Image) -> Image.Image:
    """The heat map of a picture that `Painter.write` wrote."""
    return picture.crop((0, 0, picture.width, picture.height - LEGEND))
