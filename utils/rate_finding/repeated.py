"""The command line of a test of learning rates, as that of the training with the rate that it suggests."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from mindzoo.utils.config.reading import Loaded, show
from mindzoo.utils.spec import ModelSpec


def of_a_training(spec: ModelSpec, loaded: Loaded[Any]) -> dict[str, Any]:
    """The keys of a training that stood on the command line, in the order of the keys; those of a recipe are in `config_path`."""
    names = [field.name for field in dataclasses.fields(spec.train_config) if field.name in loaded.by_flags]
    return {name: getattr(loaded.config, name) for name in names}


def command(spec: ModelSpec, given: Mapping[str, Any], rate: float) -> str:
    """The training with these keys and this learning rate."""
    values = {**given, "lr": rate}
    words = [f"--{name} {_word(value)}" for name, value in values.items()]
    return " ".join(["mindzoo train", spec.name, *words])


def _word(value: Any) -> str:
    return "''" if value in ("", ()) else shlex.quote(show(value))
