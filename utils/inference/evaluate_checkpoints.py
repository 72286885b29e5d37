"""Evaluation of one checkpoint, or of every checkpoint in a folder."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from mindzoo.utils import ranks, runtime, storage
from mindzoo.utils.checkpoints import loading, network_source
from mindzoo.utils.checkpoints.network_plan import NetworkPlan
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.keys import EvalConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import bad_images, data_set, held_out, transforms
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.loader import EvalData
from mindzoo.utils.data.look import Marks
from mindzoo.utils.engine.choice import ONNX_RUNTIME
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.files import check_folder, said_of
from mindzoo.utils.images.readable import prepared
from mindzoo.utils.inference import class_names
from mindzoo.utils.log import logger
from mindzoo.utils.records import METRICS, EvalResult, Evaluated
from mindzoo.utils.reports import report
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.runtime import World
from mindzoo.utils.scores import sentences
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import run_folder, starting_point
from mindzoo.utils.training.hit_counter import HitCounter

Images = Callable[[tuple[str, ...] | None, transforms.Preprocessing], ImageSet]


def evaluate(spec: ModelSpec, loaded: Loaded[EvalConfig]) -> dict[str, EvalResult]:
    """Evaluate, log the model's result lines and write them into a folder; results by checkpoint.

    Of several checkpoints those that cannot be used are named at the end.

    Raises:
        UserError: anything the user can mend in data, checkpoint or device.
        FoundProblems: some of the checkpoints could not be used.
    """
    config = loaded.config
    key = "eval_data_dir" if config.eval_data_dir else "data_dir"
    data_root = data_set.find_split(getattr(config, key), "train" if config.held_out else "val", key)
    paths = checkpoints_of(spec, network_source.single_path(config))
    check_folder("output_dir", Path(config.output_dir))
    device = runtime.start(config.device_target)
    world = ranks.whole_set(ranks.meet(config, device), "an evaluation")
    graphs.start(config, world)
    engine = Engine(spec, config, device)
    session = Session(spec, loaded, data_root, world, engine)
    # What is wrong with all of them is said before anything is written.
    remaining = [*itertools.dropwhile(lambda path: not session.opens(path), paths)]
    if not remaining:
        raise session.left_out[0]
    folder = run_folder.create(config.output_dir, dated=spec.dated_runs, world=world)
    folder.write_facts(spec.name, config, device)

    results: dict[str, EvalResult] = {}
    with storage.uploading(config, folder.path, [folder.log_name]):
        for path in filter(session.opens, remaining):
            started = time.perf_counter()
            result = results[str(path)] = session.run()
            seconds = time.perf_counter() - started
            bad_images.say_left_out(session.data.folders, "this evaluation")
            for line in (*spec.lines.evaluation(Evaluated(result, checkpoint=str(path))), *session.lines(result)):
                logger.info("%s", line)
            facts = {
                **dataclasses.asdict(result),
                "accuracy": result.accuracy,
                "seconds": round(seconds, 3),
                "left_out": len(session.data.folders.left_out),
                **({"held_out": session.held_out} if session.held_out else {}),
                "engine": engine.description,
                "preprocessing": session.how.to_dict(),
                **folder.add_predictions(session.predictions(), len(results)),
            }
            folder.add_class_scores(session.evaluator.by_class, session.data.folders.classes, len(results))
            with said_of(folder.path / METRICS):
                folder.add_metrics(kind="evaluation", checkpoint=str(path), data=str(data_root), **facts)
        if world.rank == 0:
            bad_images.write_list(folder.path, [session.data.folders])
            report.write_at_end(folder.path)
        if line := session.marks.line(session.how.orientation):
            logger.info("%s", line)
        for reason in session.left_out:
            logger.info("left out: %s", reason)
    engine.finish()
    if session.left_out:
        raise FoundProblems(f"{len(session.left_out)} of {len(paths)} checkpoints could not be used")
    return results


class Session:
    """Evaluates checkpoint after checkpoint; those of one network share a compiled graph."""

    def __init__(
        self, spec: ModelSpec, loaded: Loaded[EvalConfig], data_root: Path, world: World, engine: Engine
    ) -> None:
        self.spec, self.loaded, self.data_root, self.world = spec, loaded, data_root, world
        self.engine = engine
        config = loaded.config
        held = held_out.read(Path(config.held_out)) if config.held_out else None
        self.held_out = str(held.path) if held else ""

        def images(classes: tuple[str, ...] | None, how: transforms.Preprocessing) -> ImageSet:
            found = bad_images.usable(data_root, config, world, classes, how.check_size)
            return held_out.only(found, held) if held else found

        self.images = cache(images)
        self.opened: Path | None = None
        self.marks = Marks()
        self.left_out: list[UserError] = []
        self.plan: NetworkPlan | None = None
        self.network: nn.Cell | None = None
        self.runner: Runner | None = None

    def opens(self, path: Path) -> bool:
        """Read a checkpoint and put its weights into the network; False where it cannot be used, and why is kept."""
        try:
            if path != self.opened:
                self._open(path)
        except UserError as error:
            self.left_out.append(error)
            return False
        return True

    def _open(self, path: Path) -> None:
        source = network_source.read_source(self.spec, path, self.loaded)
        self.take(source)
        if not self.held_out and held_out.were_trained_on(source.checkpoint.meta, self.data_root):
            logger.warning(
                "%s was trained on most of the images in %s; --held_out %s evaluates those that it held out",
                path, self.data_root, path.parent,
            )  # fmt: skip
        self.opened = path

    def take(self, made_from: Source, *, say: bool = True) -> None:
        """Put these weights into the network: they are evaluated next. `say`: log it.

        Raises:
            UserError: see `open_source`; they do not fit.
        """
        config = self.loaded.config
        made_from, data = with_images(made_from, self.data_root, self.loaded, self.images)
        if self.engine.name == ONNX_RUNTIME:
            self._open_runner(made_from, say)
        else:
            self._open_network(made_from, say)
        self.how = made_from.preprocessing
        how = transforms.evaluation_operations(made_from.preprocessing, self.marks)
        size = min(config.batch_size, len(data))
        self.data = EvalData(data, how, batch_size=size, world=self.world, workers=config.workers)

    def _open_network(self, made_from: Source, say: bool) -> None:
        which = self.loaded.config.weights
        self.runner = None
        if self.network is not None and made_from.plan == self.plan:
            loading.load_into(self.network, made_from.checkpoint, which=which, without=made_from.plan.kept, say=say)
            return
        self.network, self.plan = network_source.build_network(self.spec, made_from, which, say=say), made_from.plan
        self.evaluator = self._counter(self.network)

    def _open_runner(self, made_from: Source, say: bool) -> None:
        """The logits come from elsewhere, and MindSpore counts: what it does with equal logits is its own."""
        self.runner = self.engine.open(made_from, self.loaded.config.weights, say=say)
        if self.network is not None or made_from.plan != self.plan:
            self.network, self.plan = None, made_from.plan
            self.evaluator = self._counter(nn.Identity())

    def _counter(self, network: nn.Cell) -> HitCounter:
        assert self.plan is not None
        return HitCounter(network, self.plan.num_classes, self.world, getattr(self.loaded.config, "smoothing", 0.0))

    def run(self) -> EvalResult:
        """Count the hits of the checkpoint that is open."""
        if self.runner:
            self.runner.prepare((self.data.batch_size, 3, *self.how.image_size))
        result = self.evaluator.run(self.data, self.runner, lines=True)
        if self.data.filled:
            first = np.frombuffer(self.data.folders.content(0), np.uint8)
            self.marks.take_back(self.data.filled, prepared(first, self.how.orientation).orientation)
        return result

    def lines(self, result: EvalResult) -> Iterator[str]:
        """What is said of the classes after the model's own lines."""
        by_class = self.evaluator.by_class
        yield sentences.means(by_class, result.calibration_error)
        yield from sentences.worst(by_class, self.data.folders.classes)

    def predictions(self) -> Predictions:
        """What `run` found of each image; all ranks must call it together."""
        about = {"checkpoint": str(self.opened), "orientation": self.how.orientation}
        return dataclasses.replace(self.evaluator.predictions(self.data), about=about)


def checkpoints_of(spec: ModelSpec, path: Path) -> list[Path]:
    """`path` itself, or the checkpoints of the folder `path`: the numbered ones newest first, then the others.

    last.ckpt is left out where it is another name of one of them.

    Raises:
        UserError: a folder without checkpoints.
    """
    if not path.is_dir():
        return [path]
    numbered = [found for *_, found in reversed(starting_point.numbered(spec, path))]
    others = sorted(other for other in path.glob("[!.]*.ckpt") if other not in numbered)
    found = numbered + [other for other in others if not any(map(other.samefile, numbered))]
    if not found:
        raise UserError(f"the folder {path} holds no checkpoint; wanted *.ckpt files in it")
    return found


def open_source(
    spec: ModelSpec, path: Path, data_root: Path, loaded: Loaded[Any], images: Images
) -> tuple[Source, ImageSet]:
    """A checkpoint and the images to evaluate it on, labelled as in its training.

    Args:
        images: lists those below `data_root` for class names, or for those of the folders, and a way to resize them.

    Raises:
        UserError: see `network_source.source`, `class_names.named` and `data_set.open_set`; another number of outputs
            than wanted, or more class folders than outputs.
    """
    return with_images(network_source.read_source(spec, path, loaded), data_root, loaded, images)


def with_images(made_from: Source, data_root: Path, loaded: Loaded[Any], images: Images) -> tuple[Source, ImageSet]:
    """The same of a checkpoint that has been read.

    Raises:
        UserError: see `open_source`.
    """
    path = made_from.checkpoint.path
    made_from = class_names.named(made_from, loaded.config.classes)
    outputs, wanted = made_from.plan.num_classes, getattr(loaded.config, "num_classes", 0)
    if wanted not in (0, outputs):
        raise UserError(
            f"num_classes is {wanted}, and {path} has {counted(outputs, 'class')}; leave it out, or give {outputs}"
        )
    classes = made_from.checkpoint.classes
    if not classes:
        classes, how = data_set.guess_order(data_root, outputs)
        logger.warning(
            "%s has no class names, so their order is a guess: the class folders are taken %s; --classes FILE names them",
            path, how,
        )  # fmt: skip
    data = images(tuple(classes) or None, made_from.preprocessing)
    if len(data.classes) > outputs:
        raise UserError(
            f"{data_root} has {counted(len(data.classes), 'class folder')}, and {path} has {counted(outputs, 'class')}"
        )
    if len(data.classes) < outputs:
        logger.warning("%s has %d classes for %d class folders, taken in their order", path, outputs, len(data.classes))
    return made_from, data
