"""What a checkpoint or an exported file says of itself. Needs no MindSpore."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mindzoo.utils.checkpoints import checkpoint_file, network_plan
from mindzoo.utils.checkpoints.checkpoint_file import BEST, LAST, Checkpoint
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.files import json_text
from mindzoo.utils.information.keys import FileInfoConfig
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

TRAINING = ("epoch", "step", "steps_per_epoch", "best", "evaluation", "mindspore", "converted_from")


def show(specs: Collection[ModelSpec], config: FileInfoConfig) -> None:
    """Say what the file is, as text or JSON.

    Raises:
        UserError: no file, one that cannot be read, or of no network of the zoo.
    """
    if len(config.file) != 1:
        raise UserError(f"wanted mindzoo info NETWORK or mindzoo info FILE; found {counted(len(config.file), 'file')}")
    facts = describe(specs, _single(Path(config.file[0])))
    if config.json:
        logger.info(json_text(facts).rstrip())
        return
    classes = facts["classes"]
    shown = {**facts, "classes": shorten(classes) if classes else f"no names, {facts['num_classes']} outputs"}
    shown.update({name: f"{facts[name]:,}" for name in ("bytes", "numbers")}, **shown.pop("training"))
    for name, value in shown.items():
        logger.info("%-16s%s", name, _words(value))


def describe(specs: Collection[ModelSpec], path: Path) -> dict[str, Any]:
    """The facts, as `--json` writes them."""
    spec, found = checkpoint_file.recognise(path, specs)
    plan = network_plan.plan_network(spec, found)
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": checkpoint_file.sha256(path),
        "origin": found.origin,
        "network": spec.name,
        "options": plan.options,
        "num_classes": plan.num_classes,
        "classes": found.classes,
        "numbers": sum(value.size for value in found.weights.values()),
        "averaged": bool(found.averaged),
        "preprocessing": found.meta.get("preprocessing", {}),
        "training": _training(found),
    }


def _training(found: Checkpoint) -> dict[str, Any]:
    return {name: found.meta[name] for name in TRAINING if found.meta.get(name) is not None}


def _single(path: Path) -> Path:
    """The file itself, or of the folder of a run its best checkpoint, or else the last."""
    if not path.is_dir():
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            return path / name
    raise UserError(f"{path} is no folder of a run: it has neither {BEST} nor {LAST}; name a file in it")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or "none recorded"
    return str(value)
