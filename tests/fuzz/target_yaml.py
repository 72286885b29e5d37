"""Recipes, as each network's training reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from mindzoo.models import SPECS
from mindzoo.tests.fuzz.mutate import BYTES
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support.arguments import FRACTIONS, HOSTILE_YAML, NUMBERS, TEXTS
from mindzoo.utils.commands.of_networks import aliases_of_training
from mindzoo.utils.config.reading import make, read_yaml
from mindzoo.utils.errors import UserError

VALUES = [*NUMBERS, *FRACTIONS, *TEXTS, *(text.partition(": ")[2] or text for text in HOSTILE_YAML)]


def seeds() -> list[bytes]:
    return [path.read_bytes() for spec in SPECS.values() for path in sorted(spec.recipes.glob("*.yaml"))]


def read(path: Path) -> list[Any]:
    """The configurations of the networks that take the recipe; the others' refusals are as good."""
    found, refused = [], []
    for spec in SPECS.values():
        try:
            found.append(make(spec.train_config, read_yaml(spec.train_config, path, aliases_of_training(spec))))
        except UserError as error:
            refused.append(error)
    if not found:
        raise max(refused, key=lambda error: len(str(error)))
    return found


def value(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One of the values becomes another, or something else."""
    places = list(re.finditer(rb"(?<=: ).*", content))
    if not places:
        return content
    one = chance.choice(places)
    return content[: one.start()] + chance.choice(VALUES).encode("utf-8", "surrogatepass") + content[one.end() :]


def unseen(good: object, found: object) -> bool:
    """A recipe has no checksum."""
    return True


TARGET = Target(seeds, on_file("recipe.yaml", read), unseen, (*BYTES, value, value, value))
