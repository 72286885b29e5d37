"""The command line of a test of learning rates, as that of the training with the rate that it suggests."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.config.reading import Loaded, show
from mindzoo.utils.rate_finding.keys import LrFindKeys
from mindzoo.utils.spec import ModelSpec

OWN = frozenset(field.name for field in dataclasses.fields(LrFindKeys))


def on_the_command_line(spec: ModelSpec, loaded: Loaded[Any]) -> dict[str, Any]:
    """The keys of a training that were given beside the recipe, or have other values than it, in the order of the keys."""
    recipe: Mapping[str, Any] = {}
    if loaded.config.config_path:
        path = reading.find_recipe(loaded.config.config_path, spec.recipes)
        recipe = reading.read_yaml(spec.train_config, path, {**TRAIN_ALIASES, **spec.train_aliases}, OWN)
    names = [field.name for field in dataclasses.fields(spec.train_config) if field.name in loaded.given]
    values = {name: getattr(loaded.config, name) for name in names}
    return {name: value for name, value in values.items() if name not in recipe or recipe[name] != value}


def command(spec: ModelSpec, given: Mapping[str, Any], rate: float) -> str:
    """The training with these keys and this learning rate."""
    values = {**given, "lr": rate}
    words = [f"--{name} {_word(value)}" for name, value in values.items()]
    return " ".join(["mindzoo train", spec.name, *words])


def _word(value: Any) -> str:
    return "''" if value in ("", ()) else shlex.quote(show(value))
