"""What a checkpoint of ours says of itself: read with limits, and checked before anything is done by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.config.reading import make
from mindzoo.utils.config.values import checked_values
from mindzoo.utils.errors import UserError
from mindzoo.utils.spec import ModelSpec

META = "mindzoo"  # the name of the text that holds it
MOST_CHARACTERS = 10_000_000
MOST_CLASSES = 1_000_000
LONGEST_NAME = 1000  # characters, of a class
OTHER_FILE = "use another checkpoint"
# Whole numbers of a training, each with the least that it can be.
COUNTS = {"epoch": 0, "epoch_step": 0, "step": 0, "steps_per_epoch": 1, "waited": 0, "loss_count": 0}
MAPPINGS = ("options", "preprocessing", "config", "converted_from", "averaged_from")
EVALUATIONS = ("best", "evaluation")  # of which there may be none
NUMBERS = ("loss_sum", "to_beat")


def parse(path: Path, text: str) -> dict[str, Any]:
    """The facts in the text of a file.

    Raises:
        UserError: they are no JSON, too many or too deep, or do not say of which network the file is.
    """
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"has {len(text):,} characters")
        meta = parse_json(text, finite=False)
    except ValueError as error:
        raise UserError(f"{path} is damaged: the text with its facts {error}; {OTHER_FILE}") from None
    if not isinstance(meta, dict) or not isinstance(meta.get("network"), str):
        raise UserError(f"{path} is damaged: it does not say of which network it is; {OTHER_FILE}")
    return meta


def check(path: Path, meta: Mapping[str, Any], spec: ModelSpec) -> None:
    """Refuse facts that no program of ours writes.

    Raises:
        UserError: a value is of another type than it must be, or out of the range of its key.
    """
    try:
        _check_kinds(meta)
        _check_options(meta.get("options", {}), spec)
        _check_keys("preprocessing", meta.get("preprocessing", {}), PreprocessingKeys)
        _check_place(meta)
    except UserError as error:
        raise UserError(f"{path} is damaged: in its facts {error}; {OTHER_FILE}") from None


def check_options(path: Path, options: Mapping[str, Any], spec: ModelSpec) -> None:
    """Refuse arguments of a network, with lists for tuples, that its keys do not take.

    Raises:
        UserError: says which.
    """
    try:
        _check_keys("the network", options, spec.eval_config)
    except UserError as error:
        raise UserError(f"{path} is damaged or of another network: {error}; {OTHER_FILE}") from None


def _check_kinds(meta: Mapping[str, Any]) -> None:
    for name in (*MAPPINGS, *EVALUATIONS):
        if not isinstance(meta.get(name, {}), dict) and not (name in EVALUATIONS and meta[name] is None):
            raise UserError(f"{name} is {_shown(meta[name])}, and is to be a mapping")
    for name in NUMBERS:
        if type(meta.get(name, 0)) not in (int, float) or math.isnan(meta.get(name, 0)):
            raise UserError(f"{name} is {_shown(meta[name])}, and is to be a number")
    for name, least in {**COUNTS, "num_classes": 1}.items():
        value = meta.get(name, least)
        if type(value) is not int or not least <= value < 1 << 53:
            raise UserError(f"{name} is {_shown(value)}, and is to be a whole number from {least} on")
    classes = meta.get("classes", [])
    if not isinstance(classes, list) or any(not isinstance(name, str) for name in classes):
        raise UserError(f"classes are {_shown(classes)}, and are to be a list of names")
    if len(classes) > MOST_CLASSES or max(map(len, classes), default=0) > LONGEST_NAME:
        raise UserError(
            f"there are {len(classes):,} classes, with {max(map(len, classes)):,} characters in the longest name"
        )
    if len(classes) > meta.get("num_classes", len(classes)):
        raise UserError(f"there are {len(classes)} class names for {meta['num_classes']} outputs")
    best = {"accuracy": 0} if meta.get("best") is None else meta["best"]
    for name in ("accuracy", "value"):
        number: Any = best.get(name, 0 if name == "value" else None)  # older files have the accuracy alone
        if type(number) not in (int, float) or math.isnan(number):
            raise UserError(f"the best {name} is {_shown(number)}, and is to be a number")


def _check_options(options: Mapping[str, Any], spec: ModelSpec) -> None:
    """The network's arguments, each as its key takes it."""
    _check_keys("options", {name: value for name, value in options.items() if name in spec.options}, spec.eval_config)
    unknown = [name for name in options if name not in spec.options]
    if unknown:
        raise UserError(f"options has {unknown[0]}, which {spec.name} does not")


def _check_keys(what: str, values: Mapping[str, Any], config: type) -> None:
    """The values of keys, as they are in JSON, are such that the configuration takes them."""
    taken = checked_values(what, values, config)
    made: Any = make(config, taken)
    if any(getattr(made, name) != value for name, value in taken.items()):
        raise UserError(f"{what} is not complete")  # the configuration completes it: one number for both sides


def _check_place(meta: Mapping[str, Any]) -> None:
    """The place of a training, where there is one, is one."""
    if "epoch_step" not in meta:
        return
    missing = [name for name in ("epoch", "step", "steps_per_epoch") if name not in meta]
    if missing:
        raise UserError(f"{missing[0]} is missing beside epoch_step")
    epoch, done, each = meta["epoch"], meta["epoch_step"], meta["steps_per_epoch"]
    if done > each or meta["step"] != epoch * each + done:
        raise UserError(f"step is {meta['step']}, and step {done} of {each} in epoch {epoch} is another")


def _shown(value: Any) -> str:
    return repr(value)[:40]
