"""What a page's commands are run with so that they take seconds: fewer epochs, and smaller networks in the recipes.

The flags, the order and the files of a command stay as they are written. Recipes as they are, at full width, are trained by
tests/scripts/test_demo.py and by the pages of the networks.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mindzoo.models import SPECS

EPOCHS = 2
# As many small steps as the recipe has are still needed: the name of the checkpoint tells the last of them.
RECIPES = {
    "densenet121": ("digits_cpu", "fixres"),
    "multigrain": ("photographs_cpu",),
}


def shorter(text: str) -> str:
    """The commands with EPOCHS epochs wherever they ask for more, and an evaluation after the last of them."""

    def fewer(found: re.Match[str]) -> str:
        return f"{found[1]}{min(int(found[2]), EPOCHS)}"

    return re.sub(r"(--(?:max_epoch|eval_interval) )(\d+)\b", fewer, text)


def make_networks_small(root: Path) -> None:
    """In the clone `root`, let RECIPES name the smallest variant of their network."""
    for network, names in RECIPES.items():
        spec = SPECS[network]
        options = {key: value for key, value in spec.small.items() if key in spec.options}
        for name in names:
            path = root / "models" / network / "config" / f"{name}.yaml"
            keys = {**yaml.safe_load(path.read_text(encoding="utf-8")), **options}
            path.write_text(yaml.safe_dump({key: _plain(value) for key, value in keys.items()}), encoding="utf-8")


def _plain(value: object) -> object:
    """As YAML writes it for everybody."""
    return list(value) if isinstance(value, tuple) else value
