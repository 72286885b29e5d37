"""Training, in the order in which it happens: check, build, go on or start, loop.

Nothing is written before everything that the user gave has been checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mindspore import nn

from mindzoo.utils import ranks, runtime, storage
from mindzoo.utils.checkpoints import loading
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import bad_images, transforms
from mindzoo.utils.data.loader import Data, TrainData
from mindzoo.utils.files import write_text
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import ProgressDisplay, aside, logger
from mindzoo.utils.records import RECIPE
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.trackers import registry
from mindzoo.utils.trackers.several import Several
from mindzoo.utils.trackers.tracker import Tracker
from mindzoo.utils.training import (
    assembly,
    continuity,
    holding_out,
    loop,
    native_road,
    on_card,
    run_folder,
    setup,
    starting_point,
    unfreezing,
)
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.callbacks.epoch_line import EpochLine
from mindzoo.utils.training.callbacks.evaluation import Evaluation
from mindzoo.utils.training.callbacks.marks_line import MarksLine
from mindzoo.utils.training.callbacks.progress_line import ProgressLine
from mindzoo.utils.training.callbacks.report import Report
from mindzoo.utils.training.callbacks.saving import Checkpoints
from mindzoo.utils.training.callbacks.tracking import Tracking
from mindzoo.utils.training.callbacks.upload import Upload
from mindzoo.utils.training.hit_counter import HitCounter
from mindzoo.utils.training.run_folder import RunFolder
from mindzoo.utils.training.starting_point import StartingPoint
from mindzoo.utils.training.state import RunState


def train(spec: ModelSpec, loaded: Loaded[TrainConfig], progress: ProgressDisplay, recipe: str = "") -> RunState | None:
    """Train the network `spec` as the configuration says; return the run as it ended, None where all was done before.

    The `recipe` that the configuration is of is kept in the run's folder.

    Raises:
        UserError: anything the user can mend: data, checkpoint, device, values that do not go together.
        Interrupted: a signal ended it; a checkpoint was saved.
    """
    config = loaded.config

    # 1. Device, data and checkpoints that are named exist and fit together.
    device = runtime.start(config.device_target, seed=config.seed, deterministic=config.deterministic)
    world = ranks.meet(config, device)
    graphs.start(config, world)
    trackers = registry.classes(config.tracker if world.rank == 0 else ())
    found, config, data = find_and_read(spec, config, world)
    num_classes = setup.settle_classes(config.num_classes, data.classes)
    start = starting_point.agree(world, spec, loaded, data, num_classes, found)
    if start.is_complete(config, steps := data.train.steps_per_epoch):
        return None
    config = setup.settle_accumulation(dataclasses.replace(config, **start.options), world)
    on = assembly.machine(spec, config, device)

    # 2. Network and training step.
    say(setup.ineffective(loaded, device, world, level=on.level, evaluated=data.evaluation is not None))
    say(on_card.notes(config, on.level, device, on.card))
    rates = setup.learning_rates(spec, config, steps, world)
    made = assembly.assemble(spec, config, start, data.train, num_classes, rates, on)
    network, step = made.network, made.step
    continuity.say_other_operators(start.resumed, native_road.name(made.native))
    thaw = unfreezing.planned(config, made.frozen, steps, network, made.build)
    take_state(step, start, config, data.train, world)

    # 3. The run's folder, the first thing that is written.
    go_on_in = continuity.folder_to_go_on_in(start.resumed, config, data.train)
    with run_folder.entered(config.output_dir, dated=spec.dated_runs, world=world, go_on_in=go_on_in) as folder:
        write_facts(folder, spec, config, device, data, recipe)
        meta = checkpoint_meta(spec, config, num_classes, data) | {"operators": native_road.name(made.native)}
        run = RunState(spec, config, world, folder, step, rates, steps, meta, progress, **start.counts)
        take_history(run, start)

        # 4. The loop.
        with storage.uploading(config, folder.path, [folder.log_name]) as uploader:
            listed = callbacks(run, data, network, num_classes, uploader, trackers, start.resumed)
            loop.train(run, data.train, listed, on_card.sink(config, device, on.card, type(step)), thaw)
    return run


def find_and_read(spec: ModelSpec, config: TrainConfig, world: World) -> tuple[Checkpoint | None, TrainConfig, Data]:
    """What `--resume` means, on rank 0; the configuration with what that decides; the images, in folders or a pack."""
    found = starting_point.find_on_first(world, spec, config)
    config = holding_out.settled(config, world, found)
    data = setup.open_data(config, world, holding_out.file_of(found, config))
    if data.evaluation is None:
        logger.info("there are no validation images: nothing is evaluated; --eval_data_dir or --val_split gives some")
    return found, config, data


def take_state(step: TrainStep, start: StartingPoint, config: TrainConfig, data: TrainData, world: World) -> None:
    """Give the step the state that it begins with or goes on from, the same on all ranks."""
    if start.resumed:
        loading.restore(step, start.resumed)
    done = start.epoch * data.steps_per_epoch + start.epoch_step
    if not start.resumed or not continuity.is_at_home(start.resumed, data):
        optimizers.start_at(step.optimizer, done // config.accumulation_steps)
    if step.augments:
        step.augmentation.start_at(done)
    ranks.copy_from_first(world, step.get_parameters())


def take_history(run: RunState, start: StartingPoint) -> None:
    """What a run that goes on has done before is part of its story."""
    if start.resumed:
        run.saved = str(start.resumed.path)
        run.folder.take_history(start.resumed.path.parent, start.resumed.meta["step"])


def say(notes: Iterable[str]) -> None:
    """Log what may be otherwise than the user thinks."""
    for note in notes:
        logger.info("note: %s", note)


def write_facts(
    folder: RunFolder, spec: ModelSpec, config: TrainConfig, device: str, data: Data, recipe: str = ""
) -> None:
    """What the run is made of, into its folder and log: settings, environment, classes, images left out and held out."""
    folder.write_facts(spec.name, config, device, data.classes)
    if folder.rank == 0:
        bad_images.write_list(folder.path, data.folders)
        if data.held_out:
            data.held_out.keep(folder.path)
        if recipe:
            write_text(folder.path / RECIPE, recipe)
    show(config, folder.path)


def show(config: TrainConfig, folder: Path) -> None:
    """The resolved configuration, as the original zoo logs it, and where the run writes."""
    aside("Args:")
    for name, value in dataclasses.asdict(config).items():
        aside("--> %s: %s", name, value)
    aside("*" * 60)
    logger.info("this run writes to %s", folder)


def checkpoint_meta(spec: ModelSpec, config: TrainConfig, num_classes: int, data: Data) -> dict[str, Any]:
    """What every checkpoint of this run says, beside the counts."""
    return {
        "network": spec.name,
        "options": spec.network_options(config),
        "num_classes": num_classes,
        "classes": list(data.classes),
        "preprocessing": transforms.Preprocessing.from_config(config).to_dict(),
        "config": dataclasses.asdict(config),
        **continuity.surroundings(config, data.train),
    }


def callbacks(
    run: RunState,
    data: Data,
    network: nn.Cell,
    num_classes: int,
    uploader: storage.Uploader | None,
    trackers: Mapping[str, type[Tracker]] = MappingProxyType({}),
    resumed: Checkpoint | None = None,
) -> list[Callback]:
    """In the order in which they are called.

    Args:
        trackers: the classes of those that were asked for; none on other ranks than the first.
        resumed: where the run goes on from.
    """
    before = starting_point.written_by(run.spec, run.config, run.world.rank, run.folder.path)
    checkpoints = Checkpoints(before, continuity.best_elsewhere(resumed, run))
    listed: list[Callback] = [ProgressLine(), EpochLine(), MarksLine(data.marks)]
    if data.evaluation and run.config.run_eval:
        listed.append(Evaluation(HitCounter(network, num_classes, run.world), data.evaluation, checkpoints))
    if trackers:
        listed.append(Tracking(run, Several(trackers, run.folder.path)))
    listed += [checkpoints, Report()]
    return [*listed, Upload(uploader)] if uploader else listed
