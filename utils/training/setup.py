"""What a training is made of: data, network, learning rates, loss and step, each from the configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from mindzoo.utils import ranks
from mindzoo.utils.checkpoints import loading
from mindzoo.utils.config import rate_keys
from mindzoo.utils.config.keys import ThorConfig, TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import bad_images, data_set, listing, transforms
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.loader import Data, EvalData, TrainData
from mindzoo.utils.data.look import Check, Marks
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.learning import (
    augmentation,
    chosen_schedule,
    dropout,
    freeze,
    optimizers,
    rate_factors,
    schedules,
    thor,
)
from mindzoo.utils.learning.augmentation import BatchAugmentation
from mindzoo.utils.learning.freeze import Frozen
from mindzoo.utils.learning.losses import AdjustedLogits, FocalLoss, SmoothedCrossEntropy, class_weights, log_priors
from mindzoo.utils.learning.mixing import LossOfMixed
from mindzoo.utils.learning.plateau import Plateau
from mindzoo.utils.learning.rate_factors import Stages
from mindzoo.utils.learning.sync_batch_norm import synchronise
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import aside, logger
from mindzoo.utils.runtime import World
from mindzoo.utils.scores.metric import METRIC_KINDS
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import holding_out
from mindzoo.utils.training.single_values import refuse_single_values
from mindzoo.utils.training.starting_point import StartingPoint

ALONE = World()
MOST_STEPS = 10**8  # the learning rate of each of them is in memory


def open_data(config: TrainConfig, world: World, kept: Path | None = None) -> Data:
    """Scan and check the folders; training, `val/` beside it and evaluation must have the same classes.

    Args:
        kept: names the images that the run which goes on held out, see `holding_out.file_of`.

    Raises:
        UserError: see `mindzoo.utils.data.data_set`, `holding_out`, or `check_plateau`.
    """
    train_root = data_set.find_split(config.data_dir, "train", "data_dir")
    eval_dir = config.eval_data_dir or str(listing.split_folders(Path(config.data_dir)).get("val", ""))
    holding_out.refuse_beside(config, eval_dir)
    every = bad_images.usable(train_root, config, world, check=_check(config))
    data_set.compare_sibling(every)
    train_folders, held_out = holding_out.part(every, config, world, kept)
    evaluation = None
    if held_out or eval_dir:
        eval_folders = held_out.images if held_out else _evaluation_images(eval_dir, config, world, every.classes)
        how = transforms.evaluation_operations(transforms.Preprocessing.from_config(config))
        evaluation = EvalData(
            eval_folders, how, batch_size=min(config.batch_size, len(eval_folders)), world=world, workers=config.workers
        )
        bad_images.say_left_out(eval_folders, "evaluation")
    check_plateau(config, evaluation)
    marks = Marks()
    train_data = TrainData(
        train_folders, transforms.training_operations(config, marks), batch_size=config.batch_size, world=world,
        seed=config.seed, workers=config.workers, sampling=config.sampling, repeats=config.repeats,
    )  # fmt: skip
    aside(
        "%s of %s in %s",
        counted(len(train_folders), "image"),
        counted(len(train_folders.classes), "class"),
        train_folders.root,
    )
    bad_images.say_left_out(train_folders, "training")
    return Data(train_data, evaluation, train_folders.classes, marks, held_out)


def _check(config: TrainConfig) -> Check:
    """Raises `Fault` for a picture that no part of can be resized for training; or that cannot be as a whole, if held out."""
    checks = [transforms.training_check(config)]
    if config.val_split:
        checks.append(transforms.Preprocessing.from_config(config).check_size)

    def check(width: int, height: int) -> None:
        for one in checks:
            one(width, height)

    return check


def _evaluation_images(eval_dir: str, config: TrainConfig, world: World, classes: Sequence[str]) -> ImageSet:
    """The images of a folder to evaluate on while training."""
    root = data_set.find_split(eval_dir, "val", "eval_data_dir")
    preprocessing = transforms.Preprocessing.from_config(config)
    return bad_images.usable(root, config, world, classes, preprocessing.check_size)


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


def make_network(
    spec: ModelSpec, config: TrainConfig, start: StartingPoint, num_classes: int, world: World
) -> tuple[nn.Cell, Frozen]:
    """The network with the weights that it starts from, and with what the configuration freezes and synchronises.

    Beside it what is frozen now: nothing any more in a run that goes on after `unfreeze_epoch`.
    """
    init_options = {name: getattr(config, name) for name in spec.init_options}
    network = spec.make(num_classes, {**start.options, **init_options})
    if start.pretrained:
        loading.load_into(network, start.pretrained, without=start.kept)
    frozen = freeze.freeze(network, config.freeze)
    if config.thaws and ranks.first(world, lambda: frozen.are_trained_in(start.resumed.state if start.resumed else ())):
        aside("resume: %s", frozen.thaw())
        frozen = Frozen()
    for line in frozen.lines:
        aside(line)
    if not dropout.seeded(network, config.seed, world.rank) and config.drop_rate:
        logger.info("note: drop_rate has no effect: %s has no dropout", spec.name)
    if config.sync_batch_norm and world.connected:
        aside("%d batch norms take the images of all ranks", synchronise(network, world.size))
    refuse_single_values(network, config, world)
    return network, frozen


def learning_rates(spec: ModelSpec, config: TrainConfig, steps_per_epoch: int, world: World) -> np.ndarray:
    """The rate of every step, float32; in proportion to the images per update where `lr_base_batch` asks for it.

    Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 2.1.

    Raises:
        UserError: they are too many to be kept.
    """
    if config.max_epoch * steps_per_epoch > MOST_STEPS:
        raise UserError(
            f"max_epoch is {config.max_epoch}, with {steps_per_epoch} steps each: that is more than {MOST_STEPS:,} steps"
        )
    own = config.schedule == rate_keys.OWN
    rates = spec.learning_rates(config, steps_per_epoch) if own else chosen_schedule.rates(config, steps_per_epoch)
    if not config.lr_base_batch:
        return rates
    images = images_per_update(config, world)
    aside("%d images per update: learning rates times %d / %d", images, images, config.lr_base_batch)
    return np.asarray(rates * rate_scale(config, world), np.float32)


def rate_scale(config: TrainConfig, world: World) -> float:
    """What `lr_base_batch` multiplies the learning rates by; 1 where it is not given."""
    return images_per_update(config, world) / config.lr_base_batch if config.lr_base_batch else 1.0


def images_per_update(config: TrainConfig, world: World) -> int:
    """Over all ranks."""
    return config.batch_size * world.size * config.accumulation_steps


def build_loss(config: TrainConfig, num_classes: int, labels: np.ndarray) -> nn.Cell:
    """The loss on the classes: (logits, labels) -> scalar; `labels` (N,) int32 are those of all training images.

    Raises:
        UserError: the labels of a single class are to be smoothed.
    """
    if config.smoothing and num_classes < 2:
        raise UserError("there is one class, and no other to smooth its labels with; give --label_smooth false")
    counts = np.bincount(labels, minlength=num_classes)
    weights = class_weights(config.class_weights, counts, config.effective_beta)
    if config.loss == "focal":
        loss: nn.Cell = FocalLoss(num_classes, config.smoothing, gamma=config.focal_gamma, weights=weights)
    else:
        loss = SmoothedCrossEntropy(num_classes, config.smoothing, weights=weights)
    return AdjustedLogits(loss, log_priors(counts, config.logit_adjustment)) if config.logit_adjustment else loss


def build_step(
    config: TrainConfig,
    network: nn.Cell,
    loss: nn.Cell,
    rates: np.ndarray,
    level: str,
    world: World,
    registers: nn.Cell | None = None,
    stages: Stages = (),
) -> TrainStep:
    """The compiled step's cell, in training mode; `network` gives what `loss` takes.

    Args:
        level: of mixed precision, O0 to O3.
        registers: see `TrainStep`.
        stages: of the network, see `ModelSpec`.

    Raises:
        UserError: the training ends before its first update, or a factor is for no parameter.
    """
    return step_over(config, in_precision(network, level), loss, rates, level, world, registers, stages)


def in_precision(network: nn.Cell, level: str) -> nn.Cell:
    """The network as it computes at a level of mixed precision, O0 to O3; to be asked for once."""
    return network if level == "O0" else ms.amp.auto_mixed_precision(network, level, ms.float16)


def step_over(
    config: TrainConfig,
    network: nn.Cell,
    loss: nn.Cell,
    rates: np.ndarray,
    level: str,
    world: World,
    registers: nn.Cell | None,
    stages: Stages = (),
) -> TrainStep:
    """`build_step`, of a network that is `in_precision` already: it trains what may be trained of it now."""
    accumulation = config.accumulation_steps
    if accumulation > len(rates):
        raise UserError(
            f"accumulation_steps is {accumulation}, and the training has {len(rates)} steps: it would never update; "
            "use a smaller one, or more epochs"
        )
    kind = step_kind(config)
    optimizer = optimizers.create(
        kind.update_rule or config.optimizer, network, rates[accumulation - 1 :: accumulation], momentum=config.momentum,
        weight_decay=config.weight_decay, eps=config.eps, rho=config.rho, betas=(config.betas[0], config.betas[1]),
        epsilon=config.epsilon, loss_parameters=loss.trainable_params(), no_decay=kind.no_decay, plateau=build_plateau(config),
        **rate_factors.of(config, network, stages, loss),
    )  # fmt: skip
    # In float32 a fixed scale cancels out. A card may compute in float16 all the same.
    cancels = level == "O0" and not config.is_dynamic_loss_scale and ms.get_context("device_target") == "CPU"
    if config.mixes:
        loss = LossOfMixed(loss)
    options: dict[str, Any] = {
        "augmentation": batch_augmentation(config, len(rates), world),
        "accumulation_steps": accumulation,
        "clip_norm": config.clip_norm,
        "ema_decay": config.ema_decay,
        "ema_warmup": config.ema_warmup,
        "loss_scale": config.loss_scale,
        "scale_cancels": cancels,
        "dynamic_loss_scale": config.is_dynamic_loss_scale,
        "distributed": world.connected,
        "registers": registers,
    }
    if isinstance(config, ThorConfig) and kind is thor.ThorStep:
        step = thor_step(config, network, loss, optimizer, len(rates) // config.max_epoch, options)
    else:
        step = TrainStep(network, loss, optimizer, **options)
    step.set_train(True)
    return step


def batch_augmentation(config: TrainConfig, steps: int, world: World) -> BatchAugmentation | None:
    """What each of the `steps` steps of the training does with its batch before the network sees it; None for nothing."""
    return augmentation.of_batches(
        config, config.image_size, steps=steps, epochs=config.max_epoch, seed=config.seed, rank=world.rank
    )


def build_plateau(config: TrainConfig) -> Plateau | None:
    """What lets the rates fall where evaluations get no better; None with other schedules."""
    if config.schedule != rate_keys.PLATEAU:
        return None
    lowest = config.final_lr / config.lr if config.lr else 0.0
    return Plateau(
        factor=config.decay_factor,
        patience=config.plateau_patience,
        lowest=lowest,
        min_delta=config.min_delta,
        metric=METRIC_KINDS[config.metric],
    )


def check_plateau(config: TrainConfig, evaluation: EvalData | None) -> None:
    """Refuse a schedule that nothing would ever change.

    Raises:
        UserError: nothing is evaluated.
    """
    if config.schedule == rate_keys.PLATEAU and not (evaluation and config.run_eval):
        lacks = (
            "run_eval is false"
            if evaluation
            else "there are no images to evaluate on: give --val_split 0.2, or --eval_data_dir"
        )
        raise UserError(f"schedule is plateau, which goes by evaluations, and {lacks}; or use another schedule")


def settle_accumulation(config: TrainConfig, world: World) -> TrainConfig:
    """The configuration with the accumulation_steps that `global_batch` asks for.

    Raises:
        UserError: it is no multiple of the images of a step.
    """
    if not config.global_batch:
        return config
    images = config.batch_size * world.size
    steps, rest = divmod(config.global_batch, images)
    if rest or not steps:
        near = f"{steps * images} or {(steps + 1) * images}" if steps else str(images)
        raise UserError(
            f"global_batch is {config.global_batch}, and a step has {images} images ({config.batch_size} of batch_size, on "
            f"{counted(world.size, 'rank')}); wanted a multiple of them: use {near}, or another batch_size"
        )
    aside("%d images per update: batches of %d, accumulated %d times", config.global_batch, images, steps)
    return dataclasses.replace(config, accumulation_steps=steps)


def step_kind(config: TrainConfig) -> type[TrainStep]:
    """The class of the training step that the optimizer needs."""
    return thor.ThorStep if isinstance(config, ThorConfig) and config.optimizer == "thor" else TrainStep


def thor_step(
    config: ThorConfig, network: nn.Cell, loss: nn.Cell, optimizer: nn.Optimizer, steps_per_epoch: int, options: Any
) -> TrainStep:
    """The step with second-order updates; `options` are those of any step."""
    accumulation = options["accumulation_steps"]
    frequency, line = thor.rounded_frequency(config.frequency, max(steps_per_epoch // accumulation, 1))
    if line:
        aside(line)
    dampings = schedules.thor_damping(
        config.damping_init, config.damping_decay, epochs=config.max_epoch, steps_per_epoch=steps_per_epoch
    )
    try:
        return thor.ThorStep(
            network, loss, optimizer, dampings[accumulation - 1 :: accumulation], frequency=frequency,
            split_indices=config.split_indices, **options,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"optimizer thor: {error}; freeze less, or use momentum") from None


def ineffective(
    loaded: Loaded[TrainConfig], device: str, world: World = ALONE, *, level: str, evaluated: bool
) -> list[str]:
    """Lines on keys that were given and have no effect on this device, at this level of precision, alone, or unevaluated."""
    config, lines = loaded.config, []
    if config.sync_batch_norm and not world.connected:
        lines.append("sync_batch_norm has no effect: there is one rank")
    for name in sorted({"sink_mode", "sink_size"} & loaded.given):
        if not step_kind(config).can_sink:
            lines.append(f"{name} has no effect: with the optimizer {config.optimizer} the steps run one by one")
        elif name == "sink_mode" and config.sink_mode and device != "Ascend" and not config.sink_size:
            lines.append(f"sink_mode has no effect: {device} has no data sink, the steps run one by one")
    if "loss_scale" in loaded.given and level == "O0":
        lines.append("loss_scale has no effect on the result: with float32 (amp_level O0) it cancels out")
    for name in ("jit_level", "deterministic"):
        if name in loaded.given and getattr(config, name) not in ("auto", False) and device != "Ascend":
            lines.append(f"{name} has no effect: it is for Ascend, and this is {device}")
    lines += twice_over(config)
    if config.val_split and not config.run_eval:
        lines.append("val_split beside run_eval false: images are held out, and nothing is evaluated on them")
    for name in sorted({"eval_interval", "eval_start_epoch", "metric", "patience", "min_delta"} & loaded.given):
        if not evaluated:
            lines.append(f"{name} has no effect: there is no eval_data_dir to evaluate on")
        elif not config.run_eval:
            lines.append(f"{name} has no effect: run_eval is false")
    return lines


def twice_over(config: TrainConfig) -> list[str]:
    """A line where several keys do the same for rare classes, of which each by itself makes up for their size."""
    found = {
        "class_weights": config.class_weights != "none",
        "logit_adjustment": config.logit_adjustment > 0,
        "balanced sampling": config.sampling == "balanced",
    }
    names = [name for name, does in found.items() if does]
    times = {2: "twice", 3: "three times"}.get(len(names))
    return [f"{' beside '.join(names)}: rare classes count {times} over"] if times else []
