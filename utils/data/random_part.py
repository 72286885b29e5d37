"""A random part of each picture of a training, decoded without the rest.

Which part depends on the run's seed and on the picture's place in the epoch, not on the thread that reads it.
"""

from __future__ import annotations

import math
import random

import numpy as np

from mindzoo.utils.data.look import Prepare, decode
from mindzoo.utils.images import kinds
from mindzoo.utils.images.readable import Prepared
from mindzoo.utils.native.jpeg_part import Box, decoded_part

ATTEMPTS = 10


class PreparePart:
    """The first operation of a training's pipeline: the bytes of a file (uint8) -> (h, w, 3) uint8 RGB, a part of the picture.

    Args:
        prepare: looks the file through.
        scale, ratio: see `draw_box`.
    """

    decoder = "native"

    def __init__(self, prepare: Prepare, scale: tuple[float, ...], ratio: tuple[float, ...]) -> None:
        self.prepare, self.scale, self.ratio = prepare, scale, ratio

    def __call__(self, content: np.ndarray, chance: int = 0) -> np.ndarray:
        """See `Prepare`.

        Raises:
            Fault: the file cannot be read.
        """
        found = self.prepare.look(content)
        if found.kind == kinds.JPEG and not found.decoded:
            box = draw_box(chance, found.width, found.height, self.scale, self.ratio)
            pixels = decoded_part(found.content, found.width, found.height, box)
            if pixels is not None:
                return pixels
        return self._of_whole(found, chance)

    def _of_whole(self, found: Prepared, chance: int) -> np.ndarray:
        """The same part of a picture that is decoded as a whole; it may be turned, so its own size counts."""
        whole = decode(found)
        height, width = whole.shape[:2]
        box = draw_box(chance, width, height, self.scale, self.ratio)
        return np.ascontiguousarray(whole[box.y : box.y + box.height, box.x : box.x + box.width])

    def __deepcopy__(self, memo: dict[int, object]) -> PreparePart:
        """Itself, as `Prepare` is."""
        return self


def draw_box(chance: int, width: int, height: int, scale: tuple[float, ...], ratio: tuple[float, ...]) -> Box:
    """A random part of a picture, by Szegedy et al. 2015 (https://arxiv.org/abs/1409.4842, section 6).

    Args:
        chance: another number gives another part, the same one the same part.
        width, height: of the picture, in pixels.
        scale: smallest and largest share of the picture's area, drawn evenly.
        ratio: smallest and largest width:height, drawn evenly in its logarithm.

    Returns:
        The first of ten drawn parts that lies within the picture; where none does, the largest one of an allowed ratio in its middle.
    """
    drawn = random.Random(chance)
    low, high = (math.log(bound) for bound in ratio)
    for _ in range(ATTEMPTS):
        area = width * height * drawn.uniform(*scale)
        root = math.exp(drawn.uniform(low, high) / 2)
        side = math.sqrt(area)
        part_width, part_height = round(side * root), round(side / root)
        if 0 < part_width <= width and 0 < part_height <= height:
            x = int(drawn.random() * (width - part_width + 1))
            y = int(drawn.random() * (height - part_height + 1))
            return Box(x, y, part_width, part_height)
    return _central(width, height, ratio)


def _central(width: int, height: int, ratio: tuple[float, ...]) -> Box:
    wanted = min(max(width / height, ratio[0]), ratio[1])
    part_width, part_height = min(width, round(height * wanted)), min(height, round(width / wanted))
    part_width, part_height = max(part_width, 1), max(part_height, 1)
    return Box((width - part_width) // 2, (height - part_height) // 2, part_width, part_height)
