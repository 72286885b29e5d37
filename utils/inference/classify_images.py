"""Names the classes of images: files or folders, one image at a time, while the next ones are read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress, ranks, runtime
from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.listing import images_below
from mindzoo.utils.data.look import Marks
from mindzoo.utils.data.read_ahead import read_ahead
from mindzoo.utils.data.transforms import load_image
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.files import check_output, said_of, whole_file, write_json
from mindzoo.utils.inference import class_names
from mindzoo.utils.inference.keys import PredictConfig
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec


def predict(spec: ModelSpec, loaded: Loaded[PredictConfig]) -> list[dict[str, Any]]:
    """Log a line per image and return the rows: {"image": …, "classes": [{"name", "probability"}, …]}.

    Images that cannot be read are named at the end. Each of several ranks takes its share of the images, and the first one
    writes the file of all of them.

    Raises:
        UserError: no image given, none that can be read, or an output file that cannot be written.
        FoundProblems: some could not be read.
    """
    config = loaded.config
    paths = list(image_files(config.images))
    check_output("output", config.output, (".json", ".csv"))
    device = runtime.start(config.device_target)
    world = ranks.whole_set(ranks.meet(config, device), "a prediction")
    graphs.start(config, world)
    engine = Engine(spec, config, device)
    read = network_source.read_source(spec, network_source.single_file(config), loaded)
    made_from = class_names.named(read, config.classes)
    class_names.say_numbers(made_from)
    runner, names = engine.open(made_from, config.weights), made_from.class_names()
    found = _Found()
    marks = Marks()
    own, threads = range(world.rank, len(paths), world.size), worker_count(0)

    def load(place: int) -> np.ndarray:
        return load_image(paths[place], made_from.preprocessing, marks)

    # Where no line moves, the lines of the images say how far it is.
    work = progress.Work("predict", len(own), "images", lines=False)
    for place, reading in read_ahead(own, load, threads=threads, ahead=2 * threads):
        work.advance()
        try:
            image = reading.result()
        except UserError as error:
            found.unread[place] = str(error)
            continue
        if not found.rows:
            runner.prepare((1, *image.shape))
        path, probabilities = paths[place], softmax(runner(image[None])[0])
        best = np.argsort(-probabilities, kind="stable")[: config.top_k]
        classes = [{"name": names[i], "probability": float(probabilities[i])} for i in best]
        found.rows[place] = {"image": str(path), "classes": classes}
        logger.info("%s: %s", path, ", ".join(f"{row['name']} {_share(row['probability'])}" for row in classes))
    work.end()
    rows, unread = found.of_all_ranks(world)
    if not rows:
        raise UserError(unread[0])
    if config.output and world.rank == 0:
        target = Path(config.output)
        write_json(target, rows) if target.suffix == ".json" else _write_csv(target, rows)
        logger.info("wrote %s", config.output)
    if line := marks.line(made_from.preprocessing.orientation):
        logger.info("%s", line)
    for reason in unread:
        logger.info("left out: %s", reason)
    engine.finish()
    if unread:
        raise FoundProblems(f"{len(unread)} of {counted(len(paths), 'image')} could not be read")
    return rows


@dataclass(frozen=True)
class _Found:
    """What a rank has found of its images, by their places among all of them."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)  # and why

    def of_all_ranks(self, world: World) -> tuple[list[dict[str, Any]], list[str]]:
        """Rows and reasons of all ranks, in the order of the images."""
        told: list[list[Any]] = ranks.gathered(world, [[*self.rows.items()], [*self.unread.items()]])
        rows, unread = ([pair for part in told for pair in part[kind]] for kind in (0, 1))
        return [row for _, row in sorted(rows, key=_place)], [reason for _, reason in sorted(unread, key=_place)]


def _place(pair: Sequence[Any]) -> int:
    return int(pair[0])


def _share(probability: float) -> str:
    return "nan" if np.isnan(probability) else f"{probability:.1%}"


def image_files(given: Iterable[str]) -> Iterable[Path]:
    """The files given, and the images of the folders given, at any depth.

    Raises:
        UserError: nothing given, something missing, or a folder without images.
    """
    given = list(given)
    if not given:
        raise UserError("no image given; wanted image files, or folders of them, behind the network's name")
    for name in given:
        path = Path(name)
        if path.is_dir():
            found = [path / name for name in images_below(path)]
            if not found:
                raise UserError(f"the folder {path} holds no images")
            yield from found
        elif os.path.lexists(path):
            yield path
        else:
            raise UserError(f"the image {path} is missing")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (K,)."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with (
        said_of(path),
        whole_file(path) as unfinished,
        open(unfinished, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["image", "rank", "class", "probability"])
        for row in rows:
            for rank, found in enumerate(row["classes"], 1):
                writer.writerow([inert(row["image"]), rank, inert(found["name"]), found["probability"]])


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what would begin one."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
