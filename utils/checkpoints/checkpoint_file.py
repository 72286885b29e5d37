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
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

from mindzoo.utils.checkpoints import torch_file
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.files import whole_file
from mindzoo.utils.spec import ModelSpec

# The files of a run that are not numbered: the best evaluation so far, and the newest state.
BEST, LAST = "best.ckpt", "last.ckpt"
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

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every name with its value: weights, averaged ones, and the state of the training."""
        yield from self.weights.items()
        yield from ((AVERAGED + name, value) for name, value in self.averaged.items())
        yield from self.state.items()


def first_not_finite(values: Iterable[tuple[str, np.ndarray]]) -> str | None:
    """The name of the first array that holds NaN or infinity; None where all are finite."""
    return next((name for name, value in values if value.dtype.kind == "f" and not np.isfinite(value).all()), None)


def save_checkpoint(path: Path, parameters: Mapping[str, Parameter], meta: Mapping[str, Any]) -> None:
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


def read_checkpoint(path: Path, spec: ModelSpec) -> Checkpoint:
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


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"the checkpoint {path} is {'a folder' if path.is_dir() else 'missing'}; wanted a file")
    if not path.stat().st_size:
        raise UserError(f"the checkpoint {path} is empty: 0 bytes; copy it anew, or use another one")
    if path.name.endswith(TORCH_SUFFIXES):
        return torch_file.read_torch_file(path), {}
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
