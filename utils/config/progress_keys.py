"""The keys that every command has, on what it says while it works; they are no part of its configuration."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mindzoo.utils.config.reading import Loaded, key


@dataclass(frozen=True)
class ProgressKeys:
    """What is said meanwhile"""

    quiet: bool = key(False, "say results, warnings and errors only")
    progress: str = key(
        "auto",
        "how far long work is; bar: a line that moves; lines: one every half minute; json: objects, a line each, on standard error; auto: bar on a terminal and in a notebook, else lines; with quiet: off",
        choices=("auto", "bar", "lines", "json", "off"),
    )


NAMES = frozenset(field.name for field in dataclasses.fields(ProgressKeys))


def with_progress(config_class: type[Any]) -> type[Any]:
    """The keys of a command and these, which come last in its help."""
    return dataclasses.make_dataclass(config_class.__name__, (), bases=(ProgressKeys, config_class), frozen=True)


def apart(loaded: Loaded[Any], config_class: type[Any]) -> tuple[Loaded[Any], ProgressKeys]:
    """A `config_class` of what was read by `with_progress(config_class)`, and the keys that it does not have."""
    own, said = (
        kind(**{field.name: getattr(loaded.config, field.name) for field in dataclasses.fields(kind)})
        for kind in (config_class, ProgressKeys)
    )
    return dataclasses.replace(loaded, config=own, given=loaded.given - NAMES), said
