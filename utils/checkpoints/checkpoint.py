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
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from mindzoo.utils.checkpoints import torch_file
from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.files import whole_file
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

META = "mindzoo"
COUNT = "mindzoo.parameters"
AVERAGED = "ema."
TORCH_SUFFIXES = (".pth", ".pth.tar", ".pt", ".bin")
# What optimizers and callbacks of MindSpore add to a checkpoint: it never belongs to a network.
STATE_NAMES = ("momentum", "learning_rate", "global_step", "epoch_num", "step_num", "loss_scale", "cov_step")
STATE_PREFIXES = (
    "moments.",
    "moment.",
    "mean_square.",
    "mean_gradient.",
    "accum.",
    "stat.",
    "accumulated",
    "loss_scale_",
    "metric_loss.",
    "thor.",
    # The rest is of the original zoo's THOR.
    "matrix_a_inv_",
    "matrix_g_inv_",
    "matrix_max",
)
STATE_SUFFIXES = (".matrix_a", ".matrix_g", ".matrix_a_cov", ".matrix_g_cov", ".a_normalizer", ".g_normalizer")
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
    """The network that a checkpoint is of, or is to be loaded into."""

    num_classes: int
    options: dict[str, Any]
    kept: tuple[str, ...] = ()  # parameters whose value is that of an option, not the file's


def save(path: Path, parameters: Mapping[str, Parameter], meta: Mapping[str, Any]) -> None:
    """Write a checkpoint so that `path` is complete or not there at all.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    # The count comes first: a file that was cut off between two parameters has it, and not all that it counts.
    rows: list[dict[str, Any]] = [{"name": COUNT, "data": Tensor(len(parameters), ms.int32)}]
    rows += [{"name": name, "data": value} for name, value in parameters.items()]
    text = json.dumps({**meta, "format": 1}, ensure_ascii=False)
    try:
        with whole_file(path) as unfinished:
            ms.save_checkpoint(rows, str(unfinished), append_dict={META: text}, crc_check=True)
            with open(unfinished, "rb") as written:
                os.fsync(written.fileno())
            unfinished.chmod(0o644)  # MindSpore leaves it readable for its owner only
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot write the checkpoint {path}: {error}") from None


def read(path: Path, spec: ModelSpec) -> Checkpoint:
    """Read a checkpoint and translate its names to those of the network `spec`.

    Raises:
        UserError: missing, unreadable, incomplete, or of another network of this zoo.
    """
    raw, meta = _read_file(path)
    if meta and meta["network"] != spec.name:
        raise UserError(f"{path} is a checkpoint of {meta['network']}, not of {spec.name}")
    return _interpreted(path, raw, meta, spec)


def recognise(path: Path, specs: Collection[ModelSpec]) -> tuple[ModelSpec, Checkpoint]:
    """Read a checkpoint of any network among `specs`: ours says which, others show it by their names.

    Raises:
        UserError: missing, unreadable, incomplete, or of none of these networks.
    """
    raw, meta = _read_file(path)
    for spec in specs:
        if meta.get("network", spec.name) == spec.name:
            found = _interpreted(path, raw, meta, spec)
            if meta or spec.options_of(found.weights) is not None:
                return spec, found
    known = ", ".join(spec.name for spec in specs)
    raise UserError(f"{path} holds weights of none of {known}, but {shorten(raw, 3)}; wanted one of these networks")


def _interpreted(path: Path, raw: Mapping[str, np.ndarray], meta: dict[str, Any], spec: ModelSpec) -> Checkpoint:
    rest = dict(raw)
    if not meta and any(name.endswith((".running_mean", "num_batches_tracked")) for name in rest):
        return Checkpoint(path, "torch", _from_torch(rest, spec))
    state = {name: rest.pop(name) for name in list(rest) if is_state(name)}
    if not meta:
        names = {name.removeprefix("network."): value for name, value in rest.items()}
        return Checkpoint(path, "zoo", names, state=state)
    averaged = {name[len(AVERAGED) :]: rest.pop(name) for name in list(rest) if name.startswith(AVERAGED)}
    return Checkpoint(path, "mindzoo", rest, averaged, state, meta)


def plan(
    spec: ModelSpec,
    checkpoint: Checkpoint,
    *,
    num_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
    replace_head: bool = False,
) -> Plan:
    """What to build for a checkpoint: `options` win over what the file says or its origin implies.

    Args:
        replace_head: the classifier is made anew, so that `num_classes` may be any number.

    Raises:
        UserError: it has no weights of this network, or is of a network with other options or another number of
            classes than wanted.
    """
    shown = _shown_options(spec, checkpoint, options or {})
    recorded = {**shown, **checkpoint.meta.get("options", {})}
    if checkpoint.origin in ORIGIN_FLAVOUR and "flavour" in spec.options:
        recorded["flavour"] = ORIGIN_FLAVOUR[checkpoint.origin]
    settled = {**recorded, **(options or {})}
    kept = []
    for option, parameter in spec.parameter_options.items():
        if parameter not in checkpoint.weights or option in (options or {}):
            kept.append(parameter)
        else:
            settled[option] = float(checkpoint.weights[parameter])
    if settled.get("flavour") != recorded.get("flavour"):
        wanted, found = settled["flavour"], recorded.get("flavour")
        logger.warning("flavour %s is wanted, and the weights of %s are of flavour %s", wanted, checkpoint.path, found)
    bias = checkpoint.weights.get(f"{spec.classifier}.bias")
    classes = checkpoint.meta.get("num_classes") or (len(bias) if bias is not None else None)
    if num_classes and classes and num_classes != classes and not replace_head:
        raise UserError(
            f"{checkpoint.path} has {classes} classes; wanted {num_classes}: give --num_classes {classes}, "
            f"a checkpoint of {num_classes} classes, or replace_head for a new classifier"
        )
    return Plan(num_classes or classes or 1000, settled, (*kept, spec.classifier) if replace_head else tuple(kept))


def load(
    network: nn.Cell,
    checkpoint: Checkpoint,
    *,
    which: str = "averaged",
    without: Collection[str] = (),
    say: bool = True,
) -> None:
    """Load the weights of a checkpoint into its network and, with `say`, log so in one line.

    Args:
        which: "averaged" takes the averaged weights where the file has them, "raw" never.
        without: layers and parameters that keep the weights they have.

    Raises:
        UserError: as `load_weights`.
    """
    averaged = which == "averaged" and bool(checkpoint.averaged)
    values = checkpoint.averaged if averaged else checkpoint.weights
    kept = load_weights(network, values, checkpoint.path, without)
    if not say:
        return
    total = len(list(network.get_parameters()))
    flavour = getattr(network, "flavour", None)
    logger.info(
        "load model %s success: %d of %d parameters loaded, 0 missing, 0 unexpected, 0 mismatched%s; %s of origin %s%s",
        checkpoint.path,
        total - kept,
        total,
        f"; {kept} of {', '.join(without)} as they are" if kept else "",
        "averaged weights" if averaged else "weights",
        checkpoint.origin,
        f", flavour {flavour}" if flavour else "",
    )


def load_weights(network: nn.Cell, values: Mapping[str, np.ndarray], path: Path, without: Collection[str] = ()) -> int:
    """Give every parameter of `network` its value; nothing is changed where one does not fit.

    Returns:
        How many parameters keep their value, because they are of the layers `without`.

    Raises:
        UserError: with the counts and first names of what is missing, unexpected or of another shape.
    """
    wanted = {parameter.name: parameter for parameter in network.get_parameters()}
    layers = tuple(f"{layer}." for layer in without)
    kept = {name for name in {*wanted, *values} if f"{name}.".startswith(layers)} if layers else set()
    values = {name: value for name, value in values.items() if name not in kept}
    _assign({name: parameter for name, parameter in wanted.items() if name not in kept}, values, path)
    return len(kept & wanted.keys())


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


def _shown_options(spec: ModelSpec, checkpoint: Checkpoint, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The network's options that the weights themselves show; they leave nothing to choose."""
    shown = spec.options_of(checkpoint.weights)
    if shown is None:
        if checkpoint.origin == "mindzoo":
            return {}
        raise UserError(f"{checkpoint.path} holds no weights of {spec.name}, but {shorten(checkpoint.weights, 3)}")
    for name, value in wanted.items():
        if name in shown and _plain(value) != _plain(shown[name]):
            raise UserError(
                f"{name} is {show(value)}, and {checkpoint.path} is of a network with {show(shown[name])}; "
                f"leave {name} out or give {show(shown[name])}"
            )
    return shown


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
    if COUNT in arrays:
        count = int(arrays.pop(COUNT))
        if len(arrays) != count or not meta or not _ends_with_checksum(path):
            raise UserError(f"{path} is incomplete, with {len(arrays)} of {count} parameters; use another checkpoint")
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


def is_state(name: str) -> bool:
    """Whether a name is of the state of an optimizer or a training step, not of a network's weights."""
    return name in STATE_NAMES or name.startswith(STATE_PREFIXES) or name.endswith(STATE_SUFFIXES) or "damping" in name
