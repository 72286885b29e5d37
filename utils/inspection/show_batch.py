"""`mindzoo show-batch`: a batch as the network gets it in a training, drawn as a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mindzoo.utils import runtime
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import bad_images
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.data.transforms import Preprocessing, seen
from mindzoo.utils.drawing import contact_sheet
from mindzoo.utils.drawing.contact_sheet import DIM, INK, Tile
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.files import check_output
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import setup


@dataclass(frozen=True)
class Batch:
    """What a step of a training computes with."""

    images: np.ndarray  # (B, 3, H, W) float32, as the network gets them
    labels: np.ndarray  # (B,) int32
    partners: np.ndarray  # (B,) int32: labels of the images that are mixed into them
    share: float  # of the own label in the loss; 1 where nothing is mixed


def show(spec: ModelSpec, loaded: Loaded[Any]) -> None:
    """Draw the batch that the configuration names.

    Raises:
        UserError: see `setup.open_data`; the training has no such step, or the file cannot be written.
    """
    config = loaded.config
    check_output("output", config.output, (".png",))
    runtime.start(config.device_target, seed=config.seed)
    world = runtime.join(False, config.rank, config.group_size)
    data = setup.open_data(config, world)
    per_epoch = data.train.steps_per_epoch
    steps = config.max_epoch * per_epoch
    if config.at_step >= steps:
        raise UserError(
            f"at_step is {config.at_step}, and the training has {counted(steps, 'step')} ({config.max_epoch} of {per_epoch}); "
            f"wanted {steps - 1} at most"
        )
    with bad_images.named(data.train.folders):
        found = batch_of(config, data.train, config.at_step, steps)
    contact_sheet.write(Path(config.output), tiles(found, data.classes, Preprocessing.from_config(config)))
    shown, total = min(len(found.labels), contact_sheet.MOST_PICTURES), counted(len(found.labels), "image")
    what = f"the first {shown} of {total}" if shown < len(found.labels) else total
    epoch, step = divmod(config.at_step, per_epoch)
    logger.info("wrote %s: %s of step %d of epoch %d, %s", config.output, what, step + 1, epoch + 1, _mixed(found))


def batch_of(config: TrainConfig, data: TrainData, step: int, steps: int) -> Batch:
    """The batch of one step, from 0, of a training of `steps` steps: to the bit what its network gets on the rank of `data`."""
    epoch, place = divmod(step, data.steps_per_epoch)
    images, labels = next(data.epoch(epoch, place).create_tuple_iterator(num_epochs=1))
    own = labels.asnumpy()
    changes = setup.batch_augmentation(config, steps, data.world)
    if changes is None:
        return Batch(images.asnumpy(), own, own, 1.0)
    changes.start_at(step)
    with runtime.eagerly():
        images, targets = changes(images, labels)
    if not config.mixes:
        return Batch(images.asnumpy(), own, own, 1.0)
    return Batch(images.asnumpy(), own, targets[1].asnumpy(), float(targets[2].asnumpy()))


def tiles(batch: Batch, classes: Sequence[str], how: Preprocessing) -> list[Tile]:
    """Each image with its class, or with both of a mixed one and how much each counts."""
    return [
        Tile(partial(_picture, image, how), _lines(classes[label], classes[partner], batch.share))
        for image, label, partner in zip(batch.images, batch.labels, batch.partners, strict=True)
    ]


def _lines(own: str, partner: str, share: float) -> tuple[tuple[str, str], ...]:
    if own == partner or share == 1:
        return ((own, INK),)
    return (f"{share:.0%} {own}", INK), (f"{1 - share:.0%} {partner}", DIM)


def _picture(image: np.ndarray, how: Preprocessing) -> Image.Image:
    return Image.fromarray(seen(image, how))


def _mixed(batch: Batch) -> str:
    return "not mixed" if batch.share == 1 else f"mixed, with {batch.share:.1%} for the own label"
