"""Names the classes of images, one at a time, while the next ones are read."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mindzoo.utils import progress, ranks, runtime
from mindzoo.utils.answers.answer import Answer, is_unsure
from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.look import Marks
from mindzoo.utils.data.read_ahead import read_ahead
from mindzoo.utils.data.transforms import preprocessed
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.inference import class_names, heat_maps, shown
from mindzoo.utils.inference.heat_maps import HeatMaps
from mindzoo.utils.inference.inputs import Given, given_images
from mindzoo.utils.inference.keys import PredictConfig
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec


def predict(spec: ModelSpec, loaded: Loaded[PredictConfig]) -> list[dict[str, Any]]:
    """Log a line per image and return the rows, see `Answer.row`.

    Images that cannot be read are named at the end. Each of several ranks takes its share of the images and draws their heat maps, and the
    first one writes the files of all of them.

    Raises:
        UserError: no image given, none that can be read, or an output file that cannot be written.
        FoundProblems: some could not be read.
    """
    config = loaded.config
    images = given_images(config.images)
    shown.check(config)
    device = runtime.start(config.device_target)
    world = ranks.whole_set(ranks.meet(config, device), "a prediction")
    graphs.start(config, world)
    engine = Engine(spec, config, device)
    made_from = class_names.named(
        network_source.read_source(spec, network_source.single_file(config), loaded), config.classes
    )
    class_names.say_numbers(made_from)
    runner, marks = engine.open(made_from, config.weights), Marks()
    maps = heat_maps.open_heat_maps(config, engine, runner, made_from, len(images))
    work = _Work(images, runner, made_from, config, maps, marks)
    answers = _of_all_ranks(world, dict(work.answers(range(world.rank, len(images), world.size))))
    read = [answer for answer in answers if not answer.fault]
    if not read:
        raise UserError(f"{answers[0].image} {answers[0].fault}")
    if world.rank == 0:
        shown.write(config, images, answers, shown.about(spec, made_from, config), made_from.preprocessing)
    if line := marks.line(made_from.preprocessing.orientation):
        logger.info("%s", line)
    for answer in answers:
        if answer.fault:
            logger.info("left out: %s %s", answer.image, answer.fault)
    engine.finish()
    if unread := len(answers) - len(read):
        raise FoundProblems(f"{unread} of {counted(len(answers), 'image')} could not be read")
    return [answer.row() for answer in read]


@dataclass(frozen=True)
class _Work:
    """What is done with each image."""

    images: Sequence[Given]
    runner: Runner
    made_from: Source
    config: PredictConfig
    maps: HeatMaps | None
    marks: Marks

    def answers(self, own: range) -> Iterator[tuple[int, Answer]]:
        """Some of the images by their places among all of them, each with what is said of it."""
        prepared, threads = False, worker_count(0)
        reading_all = read_ahead(own, self._read, threads=threads, ahead=2 * threads)
        # Where no line moves, the lines of the images say how far it is.
        with progress.of("predict", len(own), "images", lines=False) as work:
            for place, reading in reading_all:
                work.advance()
                try:
                    image = reading.result()
                except Fault as fault:
                    yield place, Answer(self.images[place].name, fault=str(fault))
                    continue
                if not prepared:
                    self.runner.prepare((1, *image.shape))
                    prepared = True
                answer = self._answer(place, image)
                logger.info("%s: %s", answer.image, answer.line)
                yield place, answer

    def _read(self, place: int) -> np.ndarray:
        return preprocessed(self.images[place].read(), self.made_from.preprocessing, self.marks)

    def _answer(self, place: int, image: np.ndarray) -> Answer:
        name, names = self.images[place].name, self.names
        probabilities = softmax(self.runner(image[None])[0])
        best = np.argsort(-probabilities, kind="stable")[: self.config.top_k]
        classes = tuple((names[i], float(probabilities[i])) for i in best)
        heat_map = self.maps.draw(place, name, image, int(best[0]), classes[0]) if self.maps else ""
        return Answer(name, classes, is_unsure(classes[0][1], self.config.threshold), heat_map)

    @functools.cached_property
    def names(self) -> list[str]:
        """One per class."""
        return self.made_from.class_names()


def _of_all_ranks(world: World, found: dict[int, Answer]) -> list[Answer]:
    """The answers of all ranks, in the order of the images."""
    told: list[list[Any]] = ranks.gathered(world, [[place, answer.to_json()] for place, answer in found.items()])
    by_place = {int(place): values for part in told for place, values in part}
    return [Answer.from_json(by_place[place]) for place in sorted(by_place)]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (K,)."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
