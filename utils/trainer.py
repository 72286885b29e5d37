"""Training, in the order in which it happens: check, build, go on or start, loop.

Nothing is written before everything that the user gave has been checked.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from mindzoo.utils import checkpoint, optimizers, resume, run_folder, runtime
from mindzoo.utils.callbacks import Callback
from mindzoo.utils.callbacks.checkpoints import Checkpoints
from mindzoo.utils.callbacks.evaluation import Evaluation
from mindzoo.utils.callbacks.metrics import EpochLine
from mindzoo.utils.callbacks.progress import ProgressLine
from mindzoo.utils.checkpoint import Checkpoint
from mindzoo.utils.config import Loaded
from mindzoo.utils.data import folder as folders
from mindzoo.utils.data import transforms
from mindzoo.utils.data.loader import Data, EvalData, TrainData, readable_errors
from mindzoo.utils.errors import Interrupted, UserError
from mindzoo.utils.evaluator import Evaluator
from mindzoo.utils.log import Progress, logger
from mindzoo.utils.losses import SmoothedCrossEntropy
from mindzoo.utils.model_spec import ModelSpec
from mindzoo.utils.run import Run, last_step
from mindzoo.utils.runtime import StopRequest, World
from mindzoo.utils.settings import TrainConfig
from mindzoo.utils.train_step import TrainStep


def train(spec: ModelSpec, loaded: Loaded[TrainConfig], progress: Progress) -> Run | None:
    """Train the network `spec` as the configuration says; return the run as it ended, None where all was done before.

    Raises:
        UserError: anything the user can mend: data, checkpoint, device, values that do not go together.
        Interrupted: a signal ended it; a checkpoint was saved.
    """
    config = loaded.config
    for note in loaded.notes():
        logger.info("note: %s", note)

    # 1. Device, data and checkpoints that are named exist and fit together.
    device = runtime.start(config.device_target, seed=config.seed)
    spec.check_image_size(config.image_size)
    world = runtime.join(config.is_distributed, config.rank, config.group_size)
    data = open_data(config, world)
    num_classes = settle_classes(config.num_classes, data.classes)
    found = resume.find(spec, config.resume, config.output_dir) if config.resume else None
    start_weights = checkpoint.read(Path(config.pretrained), spec) if config.pretrained and not found else None
    options = settle_options(spec, loaded, found or start_weights, num_classes)
    if found:
        resume.check_options(found, {name: options[name] for name in options if name in loaded.given})
    config = dataclasses.replace(config, **options)
    epoch, epoch_step = resume.position(found, data) if found else (0, 0)
    if is_complete(config, data, epoch, epoch_step):
        return None

    # 2. Network and training step.
    for note in ineffective(loaded, device, evaluated=data.evaluation is not None):
        logger.info("note: %s", note)
    network = spec.build(num_classes, **options)
    if start_weights:
        checkpoint.load(network, start_weights)
    rates = spec.learning_rates(config, data.train.steps_per_epoch)
    step = build_step(config, network, num_classes, rates, device, world)

    if found:
        checkpoint.restore(step, found)

    # 3. The run's folder, the first thing that is written.
    go_on_in = found.path.parent if found and config.resume == "auto" else None
    folder = run_folder.create(config.output_dir, dated=spec.dated_runs, rank=world.rank, go_on_in=go_on_in)
    folder.write_facts(config, device, data.classes)
    show(config)
    logger.info("this run writes to %s", folder.path)
    run = Run(
        spec, config, world, folder, step, rates, data.train.steps_per_epoch,
        meta=checkpoint_meta(spec, config, num_classes, data.classes), progress=progress, epoch=epoch,
        epoch_step=epoch_step, best=found.meta.get("best") if found else None,
    )  # fmt: skip

    # 4. The loop.
    loop(run, data, callbacks(run, data, network, num_classes))
    return run


def show(config: TrainConfig) -> None:
    """The resolved configuration, as the original zoo logs it."""
    logger.info("Args:")
    for name, value in dataclasses.asdict(config).items():
        logger.info("--> %s: %s", name, value)
    logger.info("*" * 60)


def open_data(config: TrainConfig, world: World) -> Data:
    """Scan and check the folders; training, `val/` beside it and evaluation must have the same classes.

    Raises:
        UserError: see `mindzoo.utils.data.folder`.
    """
    train_folders = folders.scan(folders.find_split(config.data_dir, "train", "data_dir"))
    folders.compare_sibling(train_folders)
    root = Path(config.data_dir)
    eval_dir = config.eval_data_dir or (str(root / "val") if folders.is_root(root) else "")
    evaluation = None
    if eval_dir:
        eval_folders = folders.scan(folders.find_split(eval_dir, "val", "eval_data_dir"), train_folders.classes)
        how = transforms.evaluation_operations(transforms.Preprocessing.from_config(config))
        evaluation = EvalData(
            eval_folders, how, batch_size=min(config.batch_size, len(eval_folders)), world=world, workers=config.workers
        )
    train_data = TrainData(
        train_folders, transforms.training_operations(config), batch_size=config.batch_size, world=world,
        seed=config.seed, workers=config.workers,
    )  # fmt: skip
    logger.info("%d images of %d classes in %s", len(train_folders), len(train_folders.classes), train_folders.root)
    return Data(train_data, evaluation, train_folders.classes)


def settle_classes(wanted: int, classes: Sequence[str]) -> int:
    """The number of outputs: as wanted, or as many as there are class folders.

    Raises:
        UserError: fewer are wanted than there are folders.
    """
    if wanted and wanted < len(classes):
        raise UserError(
            f"num_classes is {wanted}, and there are {len(classes)} class folders; leave it out or raise it"
        )
    if wanted > len(classes):
        logger.warning("num_classes is %d for %d class folders: the last outputs have no images", wanted, len(classes))
    return wanted or len(classes)


def is_complete(config: TrainConfig, data: Data, epoch: int, epoch_step: int) -> bool:
    """Whether a training that goes on at this point is at its end; says so."""
    done = epoch * data.train.steps_per_epoch + epoch_step
    last = last_step(config, data.train.steps_per_epoch)
    if done >= last:
        logger.info("nothing to do: %d of %d steps are done", done, last)
    return done >= last


def settle_options(
    spec: ModelSpec, loaded: Loaded[TrainConfig], start: Checkpoint | None, num_classes: int
) -> dict[str, Any]:
    """The network's arguments: those given, else those of the checkpoint to start from, else the defaults.

    Raises:
        UserError: the checkpoint has another number of classes.
    """
    options = spec.network_options(loaded.config)
    if start is None:
        return options
    given = {name: value for name, value in options.items() if name in loaded.given}
    planned = checkpoint.plan(spec, start, num_classes=num_classes, options=given).options
    kinds = {name: type(value) for name, value in options.items()}
    return {**options, **{name: kinds[name](value) for name, value in planned.items()}}


def ineffective(loaded: Loaded[TrainConfig], device: str, *, evaluated: bool) -> list[str]:
    """Lines on keys that were given and have no effect on this device or without evaluation data."""
    config, lines = loaded.config, []
    if config.sink_mode and device != "Ascend":
        lines.append(f"sink_mode has no effect: {device} has no data sink, the steps run one by one")
    if "loss_scale" in loaded.given and precision(config, device) == "O0":
        lines.append("loss_scale has no effect on the result: with float32 (amp_level O0) it cancels out")
    if "eval_interval" in loaded.given and not evaluated:
        lines.append("eval_interval has no effect: there is no eval_data_dir to evaluate on")
    return lines


def precision(config: TrainConfig, device: str) -> str:
    """The level of mixed precision that `auto` means on this device."""
    if config.amp_level != "auto":
        return config.amp_level
    return "O2" if device == "Ascend" else "O0"


def build_step(
    config: TrainConfig, network: nn.Cell, num_classes: int, rates: np.ndarray, device: str, world: World
) -> TrainStep:
    """The compiled step's cell, in training mode."""
    level = precision(config, device)
    if level != "O0":
        network = ms.amp.auto_mixed_precision(network, level, ms.float16)
    accumulation = config.accumulation_steps
    optimizer = optimizers.create(
        config.optimizer, network, rates[accumulation - 1 :: accumulation], momentum=config.momentum,
        weight_decay=config.weight_decay,
    )  # fmt: skip
    step = TrainStep(
        network, SmoothedCrossEntropy(num_classes, config.smoothing), optimizer, accumulation_steps=accumulation,
        clip_norm=config.clip_norm, ema_decay=config.ema_decay, loss_scale=config.loss_scale,
        dynamic_loss_scale=config.is_dynamic_loss_scale, distributed=world.launched and world.size > 1,
    )  # fmt: skip
    step.set_train(True)
    return step


def checkpoint_meta(spec: ModelSpec, config: TrainConfig, num_classes: int, classes: Sequence[str]) -> dict[str, Any]:
    """What every checkpoint of this run says, beside the counts."""
    return {
        "network": spec.name,
        "options": spec.network_options(config),
        "num_classes": num_classes,
        "classes": list(classes),
        "preprocessing": transforms.Preprocessing.from_config(config).to_dict(),
        "config": dataclasses.asdict(config),
        "mindspore": ms.__version__,
    }


def callbacks(run: Run, data: Data, network: nn.Cell, num_classes: int) -> list[Callback]:
    """In the order in which they are called."""
    checkpoints = Checkpoints()
    listed: list[Callback] = [ProgressLine(), EpochLine()]
    if data.evaluation:
        listed.append(Evaluation(Evaluator(network, num_classes, run.world), data.evaluation, checkpoints))
    return [*listed, checkpoints]


def loop(run: Run, data: Data, listed: Sequence[Callback]) -> None:
    """Train until `run.last_step`, or until a signal.

    Raises:
        Interrupted: after a checkpoint was saved.
    """
    sink = run.config.sink_mode
    with runtime.stop_on_signals() as stop, readable_errors():
        compile_step(run, data.train)
        while run.step < run.last_step and not stop:
            run.start_epoch()
            (sunk_epoch if sink else stepped_epoch)(run, data.train, listed, stop)
            run.read_loss()
            if run.epoch_step == run.steps_per_epoch:
                for callback in listed:
                    callback.on_epoch_end(run)
                if run.step < run.last_step:
                    run.epoch, run.epoch_step = run.epoch + 1, 0
        run.progress.clear()
        for callback in listed:
            callback.on_end(run)
    if stop:
        raise Interrupted(
            f"stopped at step {run.step}: saved {run.saved or 'nothing'}; go on with --resume auto", stop.signal
        )


def compile_step(run: Run, data: TrainData) -> None:
    """Compile the graph before the first step, and say so: silence for a minute looks like a hang."""
    height, width = run.config.image_size
    images = ms.Tensor(np.zeros((data.batch_size, 3, height, width), np.float32))
    labels = ms.Tensor(np.zeros(data.batch_size, np.int32))
    logger.info("compiling the training graph for batches of %s, once per run ...", tuple(images.shape))
    started = time.perf_counter()
    run.train_step.compile(images, labels)
    logger.info("compiled in %.1f s", time.perf_counter() - started)


def stepped_epoch(run: Run, data: TrainData, listed: Sequence[Callback], stop: StopRequest) -> None:
    """Our own loop: one call of the compiled step per batch."""
    batches = data.epoch(run.epoch, run.epoch_step).create_tuple_iterator(num_epochs=1)
    waiting_since = time.perf_counter()
    for images, labels in batches:
        run.epoch_clock.waited += time.perf_counter() - waiting_since
        run.advance(run.train_step(images, labels))
        for callback in listed:
            callback.on_step(run)
        if stop or run.step >= run.last_step:
            break
        waiting_since = time.perf_counter()


def sunk_epoch(run: Run, data: TrainData, listed: Sequence[Callback], stop: StopRequest) -> None:
    """The same through MindSpore's Model, which feeds an Ascend device from a queue (elsewhere it does not sink)."""
    batches = data.epoch(run.epoch, run.epoch_step)
    ms.Model(run.train_step).train(1, batches, callbacks=[_Relay(run, listed, stop)], dataset_sink_mode=True)


class _Relay(ms.train.Callback):
    """Counts what Model.train does into the run, and calls our callbacks."""

    def __init__(self, run: Run, listed: Sequence[Callback], stop: StopRequest) -> None:
        super().__init__()
        self.run, self.listed, self.stop = run, listed, stop
        self.first = run.epoch_step

    def on_train_step_end(self, run_context: Any) -> None:
        arguments = run_context.original_args()
        done = self.first + arguments.cur_step_num
        self.run.advance(arguments.net_outputs, done - self.run.epoch_step)
        for callback in self.listed:
            callback.on_step(self.run)
        if self.stop or self.run.step >= self.run.last_step:
            run_context.request_stop()
