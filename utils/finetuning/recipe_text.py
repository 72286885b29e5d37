"""A chosen fine-tuning as a recipe: YAML that `train --config_path` takes, with the reasons as a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mindzoo.utils.errors import visible

# Keys that say how a command is called, and nothing of what is trained.
OF_THE_CALL = ("config_path", "resume", "write_recipe", "rank", "group_size", "is_distributed")


def text(network: str, values: Mapping[str, Any], reasons: Sequence[str]) -> str:
    """The recipe.

    Args:
        values: of the keys that were chosen or given.
        reasons: why, a line each.
    """
    head = [
        f"Written by mindzoo finetune {network}. The same run: mindzoo train {network} --config_path THIS_FILE",
        *reasons,
    ]
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in OF_THE_CALL
    }
    return "".join(f"# {visible(line)}\n" for line in head) + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
