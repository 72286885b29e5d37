"""The heat maps of a prediction: which files they are, and what draws them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from mindzoo.utils.answers.answer import share
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.data.transforms import Preprocessing, seen
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.errors import UserError
from mindzoo.utils.explaining import heat
from mindzoo.utils.explaining.explainer import Explainer, open_explainer
from mindzoo.utils.explaining.heat import Painter
from mindzoo.utils.explaining.methods import METHODS
from mindzoo.utils.files import check_folder, said_of
from mindzoo.utils.inference.keys import PredictConfig

BESIDE_PAGE = "_heat_maps"  # behind the name of the page
NAME_KEPT = 60  # characters of an image's name


class HeatMaps:
    """Draws the heat map of each image into a folder.

    Args:
        images: how many there are on all ranks.
    """

    def __init__(
        self, folder: Path, explain: Explainer, painter: Painter, preprocessing: Preprocessing, images: int
    ) -> None:
        self.folder, self.explain, self.painter, self.preprocessing = folder, explain, painter, preprocessing
        self.digits = len(str(images))

    def draw(self, place: int, name: str, image: np.ndarray, chosen: int, said: tuple[str, float]) -> str:
        """The file that was written.

        Args:
            place: the image's, from 0, among all of them.
            image: (3, H, W) float32.
            chosen: the number of the class that is explained.
            said: its name and probability.

        Raises:
            UserError: it cannot be written.
        """
        path = self.folder / f"{place + 1:0{self.digits}d}_{_plain(Path(name).stem)}.png"
        pixels = seen(image, self.preprocessing)
        self.painter.write(path, pixels, self.explain(image, chosen), f"{said[0]}, {share(said[1])}")
        return str(path)


def open_heat_maps(
    config: PredictConfig, engine: Engine, logits: Runner, made_from: Source, images: int
) -> HeatMaps | None:
    """What `--explain` asks for, or None.

    Raises:
        UserError: the folder cannot be made, see also `Engine.open`.
    """
    folder = folder_of(config)
    if folder is None:
        return None
    explain = open_explainer(config.explain, engine, logits, made_from, config.weights)
    painter = Painter(config.explain, made_from.class_names())
    with said_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return HeatMaps(folder, explain, painter, made_from.preprocessing, images)


def folder_of(config: PredictConfig) -> Path | None:
    """Where the heat maps go: the folder given, or else one beside the page; None where none are asked for.

    Raises:
        UserError: neither is given.
    """
    if config.explain not in METHODS:
        return None
    if config.explain_dir:
        return Path(config.explain_dir)
    if not config.html:
        raise UserError(
            f"explain is {config.explain}, and there is no place for the heat maps; wanted --html FILE.html, or --explain_dir FOLDER"
        )
    page = Path(config.html)
    return page.with_name(page.stem + BESIDE_PAGE)


def check(config: PredictConfig) -> None:
    """Refuse a folder that cannot be written.

    Raises:
        UserError: says why.
    """
    if folder := folder_of(config):
        check_folder("explain_dir", folder)


def read(path: str) -> Image.Image:
    """A heat map without its legend.

    Raises:
        OSError: it is not there any more.
    """
    with Image.open(path) as picture:
        return heat.without_legend(picture.convert("RGB"))


def _plain(name: str) -> str:
    """A name that every file system and every program takes."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:NAME_KEPT].strip(".") or "image"
