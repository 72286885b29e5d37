"""What a checkpoint or an exported file says of itself, and what can be done with it. Needs no MindSpore."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import files
from mindzoo.utils.checkpoints import checkpoint_file, metadata, network_plan, onnx_file, soundness
from mindzoo.utils.checkpoints.checkpoint_file import OURS, Checkpoint
from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.files import check_output, write_json
from mindzoo.utils.information import file_text
from mindzoo.utils.information.keys import FileInfoConfig
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights import named

# Exported files whose graph nothing here reads: what stands beside them says what they are.
GRAPHS = (".mindir", ".air")
# What a checkpoint of ours may say of its training.
HISTORY = (
    "epoch",
    "epoch_step",
    "step",
    "steps_per_epoch",
    "best",
    "evaluation",
    "images",
    "ranks",
    "mindspore",
    "config",
    "converted_from",
    "averaged_from",
)
# Of the facts of an export: what a reader of the file wants to know.
EXPORTED = ("format", "input", "output", "verification", "checkpoint", "mindzoo", "mindspore")


def show(specs: Collection[ModelSpec], config: FileInfoConfig) -> None:
    """Say what the file is, and write it as JSON where that is asked for.

    Raises:
        UserError: no file, one that cannot be read, or of no network of the zoo; output cannot be written.
    """
    if len(config.file) != 1:
        raise UserError(f"wanted mindzoo info FILE, with one file; found {counted(len(config.file), 'file')}")
    check_output("output", config.output, (".json",))
    facts = describe(specs, named.local(config.file[0], specs, "FILE"))
    for line in file_text.lines(facts):
        logger.info(line)
    if config.output:
        write_json(Path(config.output), facts)
        logger.info("wrote %s", config.output)


def describe(specs: Collection[ModelSpec], path: Path) -> dict[str, Any]:
    """All of it, for JSON.

    Raises:
        UserError: the file cannot be read, is damaged, or of none of these networks.
    """
    path = checkpoint_file.single_file(path)
    if path.suffix.lower() in GRAPHS:
        return _of_a_graph(specs, path)
    spec, found = checkpoint_file.recognise(path, specs)
    plan = network_plan.plan_network(spec, found)
    return {
        **_of_the_file(path),
        "origin": found.origin,
        "network": spec.name,
        "title": spec.title,
        "options": plan.options,
        "num_classes": plan.num_classes,
        "classes": found.classes,
        "preprocessing": found.meta.get("preprocessing", {}),
        "weights": _weights(found),
        "history": {name: found.meta[name] for name in HISTORY if found.meta.get(name) is not None},
        "can_go_on": found.is_of_a_training,
        "export": _exported(path),
    }


def _of_the_file(path: Path) -> dict[str, Any]:
    return {"file": str(path), "bytes": path.stat().st_size, "sha256": files.sha256(path)}


def _weights(found: Checkpoint) -> dict[str, Any]:
    """How many arrays and numbers there are, of which types, and whether they can be weights."""
    return {
        "parameters": len(found.weights),
        "numbers": _numbers(found.weights),
        "types": sorted({str(value.dtype) for value in found.weights.values()}),
        "averaged_numbers": _numbers(found.averaged),
        "training_state_numbers": _numbers(found.state),
        "fault": soundness.fault(found.chosen("averaged")),
    }


def _numbers(values: Mapping[str, np.ndarray]) -> int:
    return sum(value.size for value in values.values())


def _of_a_graph(specs: Collection[ModelSpec], path: Path) -> dict[str, Any]:
    """The same of an exported graph, by the facts beside it.

    Raises:
        UserError: there are none, or they are of another file or of none of these networks.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    meta = metadata.parse(path, onnx_file.as_checkpoint(path, _facts(path), content))
    spec = next((spec for spec in specs if spec.name == meta["network"]), None)
    if spec is None:
        raise UserError(f"{path} is of {meta['network']}, not of {', '.join(spec.name for spec in specs)}")
    metadata.check(path, meta, spec)
    return {
        **_of_the_file(path),
        "origin": OURS,
        "network": spec.name,
        "title": spec.title,
        **{name: meta[name] for name in ("options", "num_classes", "classes", "preprocessing")},
        "weights": None,
        "history": {},
        "can_go_on": False,
        "export": _exported(path),
    }


def _facts(path: Path) -> Any:
    return read_json(path.with_name(f"{path.name}.json"), "file", onnx_file.HINT)


def _exported(path: Path) -> dict[str, Any]:
    """What stands beside an exported file; empty where nothing does, as beside a checkpoint."""
    beside = path.with_name(f"{path.name}.json")
    facts = _facts(path) if path.suffix.lower() in (*GRAPHS, ".onnx") and beside.is_file() else {}
    return {name: facts[name] for name in EXPORTED if name in facts} if isinstance(facts, dict) else {}
