"""Checkpoints: everything needed to go on and to be used, in one file, read strictly.

A file of ours is a MindSpore checkpoint that holds the weights by their own names, `ema.<name>` for the averaged
ones, the state of optimizer and step, and one text, `mindzoo`, with JSON: network and its options, class names,
preprocessing, configuration, epoch and step. It is written to a temporary name, flushed to disk and renamed.

Files of the original zoo (weights by the same names, perhaps behind `network.`), and PyTorch's own and .safetensors
files with its names, are read too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from mindzoo.utils import torch_file
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.model_spec import ModelSpec

META = "mindzoo"
COUNT = "mindzoo.parameters"
AVERAGED = "ema."
TORCH_SUFFIXES = (".pth", ".pth.tar", ".pt", ".bin")
# What optimizers and callbacks of MindSpore add to a checkpoint: it never belongs to a network.
STATE_NAMES = ("momentum", "learning_rate", "global_step", "epoch_num", "step_num", "loss_scale")
STATE_PREFIXES = (
    "moments.",
    "moment.",
    "mean_square.",
    "mean_gradient.",
    "accum.",
    "stat.",
    "accumulated",
    "loss_scale_",
)
# Files without a word on their flavour: the original zoo's networks, and those of PyTorch, which follow the papers.
ORIGIN_FLAVOUR = {"zoo": "zoo", "torch": "paper"}
# The schedule is made anew from the configuration, so a run may go on with other epochs.
NOT_RESTORED = ("learning_rate",)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file, by our names."""

    path: Path
    origin: str  # "mindzoo", "zoo" (the original one) or "torch"
    weights: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray] = field(default_factory=dict)  # by the names of the weights; may be empty
    state: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """Class names by label; empty where the file has none."""
        return list(self.meta.get("classes", []))


@dataclass(frozen=True)
class Plan:
    """The network that a checkpoint is of."""

    num_classes: int
    options: dict[str, Any]


def save(path: Path, parameters: Mapping[str, Parameter], meta: Mapping[str, Any]) -> None:
    """Write a checkpoint so that `path` is complete or not there at all.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    # The count comes first: a file that was cut off between two parameters has it, and not all that it counts.
    rows: list[dict[str, Any]] = [{"name": COUNT, "data": Tensor(len(parameters), ms.int32)}]
    rows += [{"name": name, "data": value} for name, value in parameters.items()]
    text = json.dumps({**meta, "format": 1}, ensure_ascii=False)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.ckpt")
    try:
        ms.save_checkpoint(rows, str(temporary), append_dict={META: text}, crc_check=True)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)  # MindSpore leaves it readable for its owner only
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot write the checkpoint {path}: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, spec: ModelSpec) -> Checkpoint:
    """Read a checkpoint and translate its names to those of the network `spec`.

    Raises:
        UserError: missing, unreadable, incomplete, or of another network of this zoo.
    """
    raw, meta = _read_file(path)
    if COUNT in raw:
        count = int(raw.pop(COUNT))
        if len(raw) != count or not meta or not _ends_with_checksum(path):
            raise UserError(f"{path} is incomplete, with {len(raw)} of {count} parameters; use another checkpoint")
    if meta:
        if meta["network"] != spec.name:
            raise UserError(f"{path} is a checkpoint of {meta['network']}, not of {spec.name}")
        averaged = {name[len(AVERAGED) :]: raw.pop(name) for name in list(raw) if name.startswith(AVERAGED)}
        state = {name: raw.pop(name) for name in list(raw) if _is_state(name)}
        return Checkpoint(path, "mindzoo", raw, averaged, state, meta)
    if any(name.endswith((".running_mean", "num_batches_tracked")) for name in raw):
        return Checkpoint(path, "torch", _from_torch(raw, spec))
    weights = {name.removeprefix("network."): value for name, value in raw.items() if not _is_state(name)}
    return Checkpoint(path, "zoo", weights)


def plan(
    spec: ModelSpec,
    checkpoint: Checkpoint,
    *,
    num_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """What to build for a checkpoint: `options` win over what the file says or its origin implies.

    Raises:
        UserError: the file has another number of classes than `num_classes`.
    """
    recorded = dict(checkpoint.meta.get("options", {}))
    if checkpoint.origin in ORIGIN_FLAVOUR and "flavour" in spec.options:
        recorded["flavour"] = ORIGIN_FLAVOUR[checkpoint.origin]
    settled = {**recorded, **(options or {})}
    if settled.get("flavour") != recorded.get("flavour"):
        wanted, found = settled["flavour"], recorded.get("flavour")
        logger.warning("flavour %s is wanted, and the weights of %s are of flavour %s", wanted, checkpoint.path, found)
    bias = checkpoint.weights.get(f"{spec.classifier}.bias")
    classes = checkpoint.meta.get("num_classes") or (len(bias) if bias is not None else None)
    if num_classes and classes and num_classes != classes:
        raise UserError(
            f"{checkpoint.path} has {classes} classes; wanted {num_classes}: give --num_classes {classes}, "
            f"or a checkpoint of {num_classes} classes"
        )
    return Plan(num_classes or classes or 1000, settled)


def load(network: nn.Cell, checkpoint: Checkpoint, *, which: str = "averaged", say: bool = True) -> None:
    """Load the weights of a checkpoint into its network and, with `say`, log so in one line.

    Args:
        which: "averaged" takes the averaged weights where the file has them, "raw" never.

    Raises:
        UserError: as `load_weights`.
    """
    averaged = which == "averaged" and bool(checkpoint.averaged)
    values = checkpoint.averaged if averaged else checkpoint.weights
    load_weights(network, values, checkpoint.path)
    if not say:
        return
    flavour = getattr(network, "flavour", None)
    logger.info(
        "load model %s success: %d %sweights of origin %s%s",
        checkpoint.path,
        len(values),
        "averaged " if averaged else "",
        checkpoint.origin,
        f", flavour {flavour}" if flavour else "",
    )


def load_weights(network: nn.Cell, values: Mapping[str, np.ndarray], path: Path) -> None:
    """Give every parameter of `network` its value; nothing is changed where one does not fit.

    Raises:
        UserError: with the counts and first names of what is missing, unexpected or of another shape.
    """
    _assign({parameter.name: parameter for parameter in network.get_parameters()}, values, path)


def restore(step: nn.Cell, checkpoint: Checkpoint) -> None:
    """Give every parameter of a training step its value: weights, averaged weights, optimizer, loss scale.

    Raises:
        UserError: the checkpoint is of a training with other settings, or not of a training at all.
    """
    values = {**checkpoint.weights, **checkpoint.state}
    values.update({AVERAGED + name: value for name, value in checkpoint.averaged.items()})
    wanted = {parameter.name: parameter for parameter in step.get_parameters()}
    for name in NOT_RESTORED:
        wanted.pop(name, None)
        values.pop(name, None)
    _assign(wanted, values, checkpoint.path, hint="; resume with the settings the run was started with")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _assign(wanted: Mapping[str, Parameter], values: Mapping[str, np.ndarray], path: Path, hint: str = "") -> None:
    missing = [name for name in wanted if name not in values]
    unexpected = [name for name in values if name not in wanted]
    other = [
        f"{name} {values[name].shape} instead of {wanted[name].shape}"
        for name in wanted
        if name in values and tuple(values[name].shape) != tuple(wanted[name].shape)
    ]
    problems = [
        f"{len(names)} {word} ({shorten(names, 2)})"
        for word, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", other))
        if names
    ]
    if problems:
        fitting = len(wanted) - len(missing) - len(other)
        raise UserError(
            f"{path} does not fit: {fitting} of {len(wanted)} parameters match, {', '.join(problems)}{hint}"
        )
    for name, parameter in wanted.items():
        parameter.set_data(Tensor(np.asarray(values[name]), parameter.dtype))


def _read_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"the checkpoint {path} is {'a folder' if path.is_dir() else 'missing'}; wanted a file")
    if path.name.endswith(TORCH_SUFFIXES):
        return torch_file.read(path), {}
    kind = {".ckpt": "ckpt", ".safetensors": "safetensors"}.get(path.suffix)
    if kind is None:
        raise UserError(
            f"{path} is no checkpoint: its name ends in {path.suffix or 'nothing'}; wanted .ckpt, .safetensors or PyTorch's .pth"
        )
    try:
        content = ms.load_checkpoint(str(path), format=kind, crc_check=kind == "ckpt")
    except (ValueError, RuntimeError, TypeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is damaged or no checkpoint: {reason}") from None
    meta: dict[str, Any] = {}
    arrays = {}
    for name, value in content.items():
        if name == META:
            meta = json.loads(str(value))
        elif isinstance(value, Tensor):
            arrays[name] = value.asnumpy()
    return arrays, meta


def _ends_with_checksum(path: Path) -> bool:
    """Whether the file ends as MindSpore ends it: `crc_num` and ten bytes. Without them it is read unchecked."""
    with open(path, "rb") as file:
        file.seek(-min(17, path.stat().st_size), os.SEEK_END)
        return file.read(7) == b"crc_num"


def _from_torch(raw: Mapping[str, np.ndarray], spec: ModelSpec) -> dict[str, np.ndarray]:
    """MindSpore's words for batch norm, then the network's own structure."""
    norms = {name.removesuffix(".running_mean") for name in raw if name.endswith(".running_mean")}
    words = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    weights = {}
    for name, value in raw.items():
        stem, _, leaf = name.rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        weights[spec.from_torch(f"{stem}.{words[leaf]}" if stem in norms else name) or name] = value
    return weights


def _is_state(name: str) -> bool:
    return name in STATE_NAMES or name.startswith(STATE_PREFIXES)
