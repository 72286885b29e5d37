"""A run that goes on elsewhere: with other data, ranks, workers or versions than it was stopped with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import mindspore as ms

from mindzoo.utils.checkpoints.checkpoint_file import BEST, Checkpoint
from mindzoo.utils.config.augmentation_keys import AugmentationKeys
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import show
from mindzoo.utils.data.decoder import MINDSPORE
from mindzoo.utils.data.loader import Data, TrainData
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.training.state import RunState

# Keys that decide which images come when.
ORDER_KEYS = ("batch_size", "repeats", "sampling", "seed")
# Keys that decide what is random in it, with the values that older checkpoints, which lack some of them, were trained with.
AUGMENTATION = {spec.name: spec.default for spec in dataclasses.fields(AugmentationKeys)}
# Keys that decide what an image is to the network; a checkpoint keeps them.
PREPROCESSING_KEYS = ("orientation", "image_size", "crop_pct", "resize_mode", "mean", "std")
DIGEST = "images_digest"  # in a checkpoint: of the names and sizes of the images


def surroundings(config: TrainConfig, data: TrainData) -> dict[str, Any]:
    """What a run depends on to the bit, beside its own keys: it is in each of its checkpoints."""
    return {
        "mindspore": ms.__version__,
        "workers": worker_count(config.workers),
        "decoder": data.operations[0].decoder,
        "ranks": data.world.size,
        "images": len(data.folders),
        DIGEST: data.folders.digest,
    }


def say_what_differs(found: Checkpoint, config: TrainConfig, data: TrainData) -> None:
    """Log what a run that goes on has another of, so that it will not end as it would have without the break."""
    recorded = found.meta.get("config", {})
    compared = (*ORDER_KEYS, *PREPROCESSING_KEYS, *AUGMENTATION)
    before = {**{name: recorded.get(name, AUGMENTATION.get(name)) for name in compared}, **found.meta}
    before.setdefault("decoder", MINDSPORE)  # older checkpoints say nothing of it
    before.update({name: tuple(value) for name, value in before.items() if isinstance(value, list)})
    now = {**surroundings(config, data), **{name: getattr(config, name) for name in compared}}
    are_others = before.get(DIGEST) not in (None, now.pop(DIGEST))  # older checkpoints say nothing of them
    if are_others and before.get("images") == now["images"]:
        logger.info(
            "resume: the images in %s are not those of before: a name or a size is another; the run goes on, but not to the bit "
            "as without a break",
            data.folders.root,
        )  # fmt: skip
    for name, value in now.items():
        if before.get(name) not in (None, value):
            logger.info(
                "resume: %s was %s and is %s; the run goes on, but not to the bit as without a break",
                name, show(before[name]), show(value),
            )  # fmt: skip


def say_other_operators(found: Checkpoint | None, operators: str) -> None:
    """Log that a run goes on by other `operators` than it was stopped with; older checkpoints say nothing of them."""
    before = found.meta.get("operators") if found else None
    if before not in (None, operators):
        logger.info(
            "resume: operators were %s and are %s; the run goes on, but not to the bit as without a break",
            before, operators,
        )  # fmt: skip


def check_classes(found: Checkpoint, data: Data) -> None:
    """Refuse to go on with other classes: each output of the network means one.

    Raises:
        UserError: names those that are gone or new, and what can be done with the weights.
    """
    if found.classes != list(data.classes):
        there, before = set(data.classes), set(found.classes)
        gone = shorten(name for name in found.classes if name not in there)
        new = shorten(name for name in data.classes if name not in before)
        differ = "; ".join([*([f"gone: {gone}"] if gone else []), *([f"new: {new}"] if new else [])])
        raise UserError(
            f"{found.path} is of a training with the classes {shorten(found.classes)}, the data has "
            f"{shorten(data.classes)}{f' ({differ})' if differ else ''}; to begin a training from its weights give --pretrained "
            "instead of --resume, and --replace_head where their number differs"
        )


def is_at_home(found: Checkpoint, data: TrainData) -> bool:
    """Whether a step is the same part of an epoch as in the training that the checkpoint is of."""
    return bool(found.meta["steps_per_epoch"] == data.steps_per_epoch)


def folder_to_go_on_in(found: Checkpoint | None, config: TrainConfig, data: TrainData) -> Path | None:
    """The folder of the run that goes on; None where the run gets one of its own.

    In one folder the names of checkpoints, which have the step, must say which is newer.
    """
    if found is None or config.resume != "auto" or not is_at_home(found, data):
        return None
    return found.path.parent


def best_elsewhere(found: Checkpoint | None, run: RunState) -> Path | None:
    """The best checkpoint of the run that goes on with `--resume auto`, where it does so in a folder of its own."""
    if found is None or run.config.resume != "auto" or found.path.parent.resolve() == run.folder.path.resolve():
        return None
    best = found.path.parent / BEST
    return best if best.exists() else None


def steps_here(found: Checkpoint, data: TrainData) -> int:
    """The steps of its epoch that are done, where an epoch may have another number of steps by now.

    The end of an epoch stays one; what is not a whole step in the middle of one is done again.
    """
    done, before = found.meta["epoch_step"], found.meta["steps_per_epoch"]
    return int(done * data.steps_per_epoch // before)
