"""Checkpoints: everything needed to go on and to be used, in one file, read strictly.

A file of ours is a MindSpore checkpoint that holds the weights by their own names, `ema.<name>` for the averaged
ones, the state of optimizer and step, and one text, `mindzoo`, with JSON: network and its options, class names,
preprocessing, configuration, epoch and step. It is written to a temporary name, flushed to disk and renamed.

Files of the original zoo, of other zoos and of PyTorch are read too; `raw_file.py` says in which formats, and
`foreign_names.py` under which names. MindSpore writes, and does not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.utils import log
from mindzoo.utils.checkpoints import foreign_names, metadata, raw_file
from mindzoo.utils.checkpoints.raw_file import RawFile
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.files import whole_file
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

if TYPE_CHECKING:
    from mindspore import Parameter

# The files of a run that are not numbered: the best evaluation so far, and the newest state.
BEST, LAST = "best.ckpt", "last.ckpt"
COUNT = "mindzoo.parameters"
AVERAGED = "ema."
OURS = "mindzoo"
# What optimizers and callbacks of MindSpore add to a checkpoint: it never belongs to a network.
STATE_NAMES = (
    "momentum",
    "learning_rate",
    "global_step",
    "epoch_num",
    "step_num",
    "loss_scale",
    "cov_step",
    "augmented_batches",
    "averaged_updates",
)
STATE_PREFIXES = (
    "moments.",
    "moment.",
    "moment1.",
    "moment2.",
    "adamw_",
    "plateau.",
    "mean_square.",
    "mean_gradient.",
    "accum.",
    "stat.",
    "accumulated",
    "loss_scale_",
    "metric_loss.",
    "dropout_draws.",
    "thor.",
    # The rest is of the original zoo's THOR.
    "matrix_a_inv_",
    "matrix_g_inv_",
    "matrix_max",
)
STATE_SUFFIXES = (".matrix_a", ".matrix_g", ".matrix_a_cov", ".matrix_g_cov", ".a_normalizer", ".g_normalizer")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file, by our names."""

    path: Path
    origin: str  # OURS, or one of `foreign_names`
    weights: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray] = field(default_factory=dict)  # by the names of the weights; may be empty
    state: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """Class names by label; empty where the file has none."""
        return list(self.meta.get("classes", []))

    @property
    def is_of_a_training(self) -> bool:
        """Whether a training can go on from it exactly; from others it can take the weights only."""
        return self.origin == OURS and "epoch_step" in self.meta

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every name with its value: weights, averaged ones, and the state of the training."""
        yield from self.weights.items()
        yield from ((AVERAGED + name, value) for name, value in self.averaged.items())
        yield from self.state.items()

    def chosen(self, which: str) -> dict[str, np.ndarray]:
        """The weights that `which` means: "averaged" takes the averaged ones where there are any, "raw" never."""
        return self.averaged if which == "averaged" and self.averaged else self.weights


def save_checkpoint(path: Path, parameters: Mapping[str, Parameter], meta: Mapping[str, Any]) -> None:
    """Write a checkpoint so that `path` is complete or not there at all.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    import mindspore as ms

    # The count comes first: a file that was cut off between two parameters has it, and not all that it counts.
    rows: list[dict[str, Any]] = [{"name": COUNT, "data": ms.Tensor(len(parameters), ms.int32)}]
    rows += [{"name": name, "data": value} for name, value in parameters.items()]
    text = json.dumps({**meta, "format": 1}, ensure_ascii=False)
    try:
        with whole_file(path) as unfinished:
            ms.save_checkpoint(rows, str(unfinished), append_dict={metadata.META: text}, crc_check=True)
            with open(unfinished, "rb") as written:
                os.fsync(written.fileno())
            unfinished.chmod(0o644)  # MindSpore leaves it readable for its owner only
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot write the checkpoint {path}: {error}") from None


def single_file(path: Path) -> Path:
    """The file itself, or of the folder of a run its best.ckpt, or else last.ckpt.

    Raises:
        UserError: the folder holds neither.
    """
    if not path.is_dir():
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            log.aside("the checkpoint of %s is %s", path, name)
            return path / name
    raise UserError(f"the checkpoint {path} is a folder, without {BEST} and {LAST}; name a file in it")


def read_checkpoint(path: Path, spec: ModelSpec) -> Checkpoint:
    """Read a checkpoint and translate its names to those of the network `spec`.

    Raises:
        UserError: missing, unreadable, damaged, incomplete, or not of this network.
    """
    return recognise(path, [spec])[1]


def recognise(path: Path, specs: Collection[ModelSpec]) -> tuple[ModelSpec, Checkpoint]:
    """Read a checkpoint of any network among `specs`: ours says which, others show it by their names.

    What was done to its names is said in a line, and that a file has no checksum in another.

    Raises:
        UserError: missing, unreadable, damaged, incomplete, or of none of these networks.
    """
    raw, meta = _read_file(path)
    spec, found = _ours(path, raw, meta, specs) if meta else _foreign(path, raw, specs)
    if not raw.verified:
        logger.warning("%s carries no checksum, as %s may: damage to its numbers may go unnoticed", path, raw.format)
    return spec, found


def _ours(path: Path, raw: RawFile, meta: dict[str, Any], specs: Collection[ModelSpec]) -> tuple[ModelSpec, Checkpoint]:
    spec = next((spec for spec in specs if spec.name == meta["network"]), None)
    if spec is None:
        known = ", ".join(spec.name for spec in specs)
        raise UserError(f"{path} is a checkpoint of {meta['network']}, not of {known}")
    metadata.check(path, meta, spec)
    rest, state = _without_state(raw.arrays)
    averaged = {name.removeprefix(AVERAGED): value for name, value in rest.items() if name.startswith(AVERAGED)}
    weights = {name: value for name, value in rest.items() if not name.startswith(AVERAGED)}
    return spec, Checkpoint(path, OURS, weights, averaged, state, meta)


def _foreign(path: Path, raw: RawFile, specs: Collection[ModelSpec]) -> tuple[ModelSpec, Checkpoint]:
    arrays, state = (raw.arrays, {}) if foreign_names.is_of_torch(raw.arrays) else _without_state(raw.arrays)
    found = foreign_names.recognised(arrays, specs)
    if found is None:
        known = ", ".join(spec.name for spec in specs)
        raise UserError(
            f"{path} holds no weights of {known}, but {shorten(raw.arrays, 3) or 'nothing'}; wanted a file of one of them"
        )
    spec, named = found
    averaged = _averaged(raw, spec, named.weights)
    aside = raw.aside if averaged or not raw.averaged else (raw.averaged_place, *raw.aside)
    done = [
        f"the weights are those of {raw.place}" if raw.place else "",
        f"the averaged ones are those of {raw.averaged_place}" if averaged else "",
        f"{named.prefix} is taken off the names" if named.prefix else "",
        f"left out: {shorten((*aside, *named.outside), 3)}" if aside or named.outside else "",
        f"0 is taken for {shorten(named.added, 2)}, which that network does not have" if named.added else "",
    ]
    if any(done):
        logger.info("%s: %s", path, "; ".join(filter(None, done)))
    return spec, Checkpoint(path, named.origin, named.weights, averaged, state)


def _averaged(raw: RawFile, spec: ModelSpec, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The averaged weights by our names; none where they are not of the same parameters as the others."""
    found = foreign_names.recognised(raw.averaged, [spec])
    if found is None or {name: value.shape for name, value in found[1].weights.items()} != {
        name: value.shape for name, value in weights.items()
    }:
        return {}
    return found[1].weights


def _read_file(path: Path) -> tuple[RawFile, dict[str, Any]]:
    """The arrays, and the facts where the file is ours."""
    raw = raw_file.read_raw(path)
    meta = metadata.parse(path, raw.texts[metadata.META]) if metadata.META in raw.texts else {}
    count = raw.arrays.pop(COUNT, None)
    if (meta or count is not None) and not raw.verified:
        raise UserError(f"{path} is damaged: the checksum at its end is missing; use another checkpoint")
    if count is None:
        return raw, meta
    if count.size != 1 or len(raw.arrays) != int(count.item()) or not meta:
        wanted = count.item() if count.size == 1 else "?"
        raise UserError(f"{path} is incomplete, with {len(raw.arrays)} of {wanted} parameters; use another checkpoint")
    return raw, meta


def _without_state(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The weights, and the state of an optimizer or a training step."""
    weights = {name: value for name, value in arrays.items() if not is_state(name)}
    return weights, {name: value for name, value in arrays.items() if is_state(name)}


def is_state(name: str) -> bool:
    """Whether a name is of the state of an optimizer or a training step, not of a network's weights."""
    return name in STATE_NAMES or name.startswith(STATE_PREFIXES) or name.endswith(STATE_SUFFIXES) or "damping" in name
