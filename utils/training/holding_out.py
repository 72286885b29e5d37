"""The images that a training holds out of its folder and is evaluated on: drawn at its start, and never again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import ranks
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import show
from mindzoo.utils.data import held_out
from mindzoo.utils.data.held_out import HeldOut
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.log import aside, logger
from mindzoo.utils.records import HELD_OUT
from mindzoo.utils.runtime import World

KEYS = ("val_split", "group_by")  # that have no effect on a run that goes on


def settled(config: TrainConfig, world: World, resumed: Checkpoint | None) -> TrainConfig:
    """The configuration with the keys of the split as the run that goes on began with them; says where others are given.

    Args:
        resumed: what that run left, on rank 0.

    Raises:
        UserError: the run began without a split, and now there is to be one.
    """
    if not config.resume:
        return config
    return dataclasses.replace(config, **ranks.first(world, lambda: _as_before(config, resumed)))


def _as_before(config: TrainConfig, resumed: Checkpoint | None) -> dict[str, Any]:
    """See `settled`: the values of KEYS."""
    given = {name: getattr(config, name) for name in KEYS}
    if resumed is None or not resumed.is_of_a_training:
        return given
    defaults = {name: getattr(TrainConfig, name) for name in KEYS}
    before = {name: resumed.meta.get("config", {}).get(name, value) for name, value in defaults.items()}
    if config.val_split and not before["val_split"]:
        raise UserError(
            f"val_split is {show(config.val_split)}, and {resumed.path} was trained on all images; leave it out, or begin a training "
            "of its own, without resume"
        )
    for name, value in before.items():
        if given[name] not in (value, defaults[name]):
            logger.info("note: %s has no effect: the run goes on with the images that it held out", name)
    return before


def file_of(resumed: Checkpoint | None, config: TrainConfig) -> Path | None:
    """The names that the run which goes on held out; None where it holds out none, or begins.

    Raises:
        UserError: the file is lost.
    """
    if resumed is None or not resumed.is_of_a_training or not config.val_split:
        return None
    path = resumed.path.parent / HELD_OUT
    if not path.is_file():
        raise UserError(
            f"{path} is missing, which names the images that {resumed.path.name} was not trained on; copy it from the folder of "
            "that run, or begin a training of its own with --pretrained"
        )
    return path


def refuse_beside(config: TrainConfig, evaluation: str) -> None:
    """Refuse to hold out images where there are others to evaluate on.

    Args:
        evaluation: the folder of these, "" where there is none.

    Raises:
        UserError: see there.
    """
    held_out.grouping(config.group_by or "_")
    if config.val_split and evaluation:
        found = "eval_data_dir names" if config.eval_data_dir else "there are"
        remedy = (
            "or leave eval_data_dir out" if config.eval_data_dir else "or the folder of the training images as data_dir"
        )
        raise UserError(
            f"val_split is {show(config.val_split)}, and {found} images to evaluate on already, {evaluation}; give --val_split 0, {remedy}"
        )


def part(images: ImageSet, config: TrainConfig, world: World, kept: Path | None) -> tuple[ImageSet, HeldOut | None]:
    """The images to train on, and those that are held out, the same on all ranks.

    Args:
        kept: the file of the run that goes on, on rank 0; it decides, and nothing is drawn.

    Raises:
        UserError: see `held_out.draw` and `held_out.chosen`.
    """
    if not config.val_split:
        return images, None
    names: list[str] | None = None
    flags = np.zeros(len(images), np.float32)
    if world.rank == 0 or not world.connected:
        if kept:
            listed = held_out.read(kept)
            flags += held_out.chosen(images, listed)
            names = sorted(listed.names)
        else:
            flags += _drawn(images, config)
    held = ranks.total(world, flags) > 0
    train, evaluation = images.parted(held)
    aside(
        "%s of %s are held out for evaluation%s",
        f"{len(evaluation):,}", counted(len(images), "image"), f", as {kept} says" if kept else f" (val_split {show(config.val_split)})",
    )  # fmt: skip
    return train, HeldOut(evaluation, names or evaluation.files)


def _drawn(images: ImageSet, config: TrainConfig) -> np.ndarray:
    """Which images are held out: (N,) bool; says what of the keys' effect is not as one may think."""
    grouped, alone = held_out.groups(images.files, config.group_by)
    if config.group_by:
        aside(
            "group_by %s: %s in %s",
            config.group_by,
            counted(len(images), "image"),
            counted(len(set(grouped.tolist())), "group"),
        )
    if alone:
        logger.warning(
            "group_by is %s, and the names of %d of %d images do not fit it: each is a group of its own",
            config.group_by,
            alone,
            len(images),
        )
    held = held_out.draw(images, config.val_split, config.seed, grouped)
    if lacking := sorted(set(images.class_index.values()) - set(images.labels[held].tolist())):
        logger.warning(
            "val_split holds out no image of %s, which %s: %s",
            counted(len(lacking), "class"), "have one image or one group of them, for training" if len(lacking) > 1 else "has one image or one group of them, for training",
            shorten(images.classes[label] for label in lacking),
        )  # fmt: skip
    return held
