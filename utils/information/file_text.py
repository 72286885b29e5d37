"""What a file says of itself, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import counted, fitted, shorten, visible, without_middle

LABEL = 16  # characters
NAMED = 5  # classes
MOST_FILES = 20  # of which an average was made
LONGEST_NAME = 40  # characters, of a class
# What decides the result of a training, of its keys.
SETTINGS = ("optimizer", "lr", "batch_size", "max_epoch", "seed")


def lines(facts: Mapping[str, Any]) -> list[str]:
    """The facts; what others wrote in the file can do nothing to a terminal."""
    return [fitted(visible(f"{label:{LABEL}}{said}")) for label, said in _said(facts) if said]


def _said(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels, and what stands behind them; nothing where there is nothing to say."""
    return [
        ("file", f"{facts['file']}, {facts['bytes']:,} bytes"),
        ("sha256", facts["sha256"]),
        ("network", f"{facts['network']} ({facts['title']}), from {facts['origin']}"),
        ("options", _pairs(facts["options"]) or "none"),
        ("classes", _classes(facts["num_classes"], facts["classes"])),
        ("preprocessing", _pairs(facts["preprocessing"]) or "none recorded: that of the origin is taken"),
        ("weights", _weights(facts["weights"])),
        *_history(facts["history"]),
        *_export(facts["export"]),
        ("training", _what_next(facts)),
    ]


def _classes(count: int, names: list[str]) -> str:
    if not names:
        return f"{count}, without names"
    return f"{count}: {shorten((without_middle(name, LONGEST_NAME) for name in names), NAMED)}"


def _weights(weights: Mapping[str, Any] | None) -> str:
    if weights is None:
        return ""
    said = f"{weights['numbers']:,} numbers in {counted(weights['parameters'], 'parameter')} of {', '.join(weights['types'])}"
    if weights["averaged_numbers"]:
        said += f", and {weights['averaged_numbers']:,} averaged ones"
    if weights["training_state_numbers"]:
        said += f", and {weights['training_state_numbers']:,} of the state of a training"
    return f"{said}; the file {weights['fault']}" if weights["fault"] else f"{said}; all finite"


def _history(history: Mapping[str, Any]) -> list[tuple[str, str]]:
    place = ""
    if "epoch_step" in history:
        place = (
            f"step {history['step']:,}: step {history['epoch_step']:,} of {history['steps_per_epoch']:,} "
            f"in epoch {history['epoch'] + 1}"
        )
    config, evaluation = history.get("config", {}), dict(history.get("evaluation", {}))
    if isinstance(evaluation.get("epoch"), int):
        evaluation["epoch"] += 1  # from 1, as the other lines have it
    return [
        ("made by", _pairs({name: history[name] for name in ("mindspore", "ranks", "images") if name in history})),
        ("converted from", _pairs(history.get("converted_from", {}))),
        *_averaged(history.get("averaged_from", {})),
        ("stands at", place),
        ("evaluation", _pairs(evaluation)),
        ("best so far", _pairs(history.get("best", {}))),
        ("settings", _pairs({name: config[name] for name in SETTINGS if name in config})),
    ]


def _averaged(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How, and then the files, one a line."""
    files = found.get("files")
    if not isinstance(files, list):
        return []
    about = {name: value for name, value in found.items() if name != "files"}
    shown = [_pairs(one) if isinstance(one, dict) else show(_plain(one)) for one in files[:MOST_FILES]]
    more = [f"and {len(files) - MOST_FILES:,} more"] if len(files) > MOST_FILES else []
    return [
        ("averaged from", f"{counted(len(files), 'file')}; {_pairs(about)}"),
        *(("", line) for line in [*shown, *more]),
    ]


def _export(export: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _pairs(value) if isinstance(value, dict) else show(_plain(value))) for name, value in export.items()]


def _what_next(facts: Mapping[str, Any]) -> str:
    if facts["can_go_on"]:
        return "can go on from it exactly: --resume FILE; or start from its weights: --pretrained FILE"
    if facts["weights"] is None:
        return "cannot start from it: it is a graph; use the checkpoint that it was made from"
    return "can start from its weights: --pretrained FILE; it holds no place to go on from"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {show(_plain(value))}" for name, value in values.items() if value is not None)


def _plain(value: Any) -> Any:
    return tuple(_plain(one) for one in value) if isinstance(value, list) else value
