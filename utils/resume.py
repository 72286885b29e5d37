"""Which checkpoint a training goes on from, and where in the epoch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils import checkpoint
from mindzoo.utils.checkpoint import Checkpoint
from mindzoo.utils.data.loader import Data
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.model_spec import ModelSpec


def find(spec: ModelSpec, wanted: str, output_dir: str) -> Checkpoint | None:
    """The checkpoint that `--resume wanted` means.

    Args:
        wanted: "auto" for the newest one below `output_dir`, None and a line that says so where there is none; or a
            file.

    Raises:
        UserError: the file is missing or damaged, or not a checkpoint of a training of ours.
    """
    if wanted != "auto":
        return _of_a_training(checkpoint.read(Path(wanted), spec))
    for path in newest_first(spec, Path(output_dir)):
        try:
            found = _of_a_training(checkpoint.read(path, spec))
        except UserError as error:
            logger.info("resume auto: passed over a checkpoint: %s", error)
            continue
        logger.info("resume auto: going on from %s", path)
        return found
    logger.info("resume auto: no checkpoint in %s, starting from the beginning", output_dir)
    return None


def newest_first(spec: ModelSpec, folder: Path) -> Iterator[Path]:
    """The numbered checkpoints in `folder`, and in the runs below it, by run, epoch and step."""
    if not folder.is_dir():
        return
    runs = [folder, *sorted((entry for entry in folder.iterdir() if entry.is_dir()), reverse=True)]
    for run in runs[1:] + runs[:1]:
        numbered = []
        for path in run.glob("*.ckpt"):
            match = re.fullmatch(spec.lines.checkpoint_pattern, path.name)
            if match:
                numbered.append((int(match["epoch"]), int(match["step"]), path.name, path))
        yield from (path for *_, path in sorted(numbered, reverse=True))


def position(found: Checkpoint, data: Data) -> tuple[int, int]:
    """Epoch (from 0) and step in it at which the training goes on.

    Raises:
        UserError: the run had other classes or another number of steps per epoch.
    """
    if found.classes != list(data.classes):
        raise UserError(
            f"{found.path} is of a training with the classes {shorten(found.classes)}, the data has {shorten(data.classes)}"
        )
    before, steps_per_epoch = found.meta["steps_per_epoch"], data.train.steps_per_epoch
    if before != steps_per_epoch:
        raise UserError(
            f"{found.path} is of a training with {before} steps per epoch, this one has {steps_per_epoch}; "
            "resume with the same data, batch_size and number of ranks"
        )
    epoch, step = found.meta["epoch"], found.meta["epoch_step"]
    return (epoch + 1, 0) if step >= steps_per_epoch else (epoch, step)


def check_options(found: Checkpoint, given: Mapping[str, Any]) -> None:
    """Refuse to go on with another network than the run began with.

    Raises:
        UserError: an argument of the network was given that differs from the checkpoint's.
    """
    for name, value in given.items():
        before = found.meta["options"].get(name)
        if (list(value) if isinstance(value, tuple) else value) != before:
            raise UserError(
                f"{name} is {value}, and {found.path} is of a training with {before}; resume without {name}"
            )


def _of_a_training(found: Checkpoint) -> Checkpoint:
    if found.origin != "mindzoo" or "epoch_step" not in found.meta:
        raise UserError(f"{found.path} holds no state of a training to go on from; use it with --pretrained")
    return found
