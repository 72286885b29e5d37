"""What a page's commands are run with so that they take seconds: fewer epochs, and smaller networks in the recipes.

The flags, the order and the files of a command stay as they are written. Recipes as they are, at full width, are trained by
tests/scripts/test_demo.py and by the pages of the networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mindzoo.models import SPECS

EPOCHS = 2
# What takes the place of a recipe's own keys.
RECIPES: dict[str, Mapping[str, Any]] = {
    "densenet121/config/digits_cpu.yaml": SPECS["densenet121"].small,
    "densenet121/config/fixres.yaml": SPECS["densenet121"].small,
    "densenet121/config/modern.yaml": SPECS["densenet121"].small,
}


def shorter(text: str) -> str:
    """The commands with EPOCHS epochs wherever they ask for more, and an evaluation after the last of them."""

    def fewer(found: re.Match[str]) -> str:
        return f"{found[1]}{min(int(found[2]), EPOCHS)}"

    return re.sub(r"(--(?:max_epoch|eval_interval) )(\d+)\b", fewer, text)


def make_networks_small(root: Path) -> None:
    """In the clone `root`, let RECIPES name small networks."""
    for name, keys in RECIPES.items():
        path = root / "models" / name
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
        recipe = {**yaml.safe_load(path.read_text(encoding="utf-8")), **plain}
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
