"""A fine-tuning of several ranks: what is chosen is chosen once, before they start, and they train by that recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindzoo.utils import environment, storage
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import layout
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.storage import urls
from mindzoo.utils.weights import named

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec


def place_of_the_run(config: Any) -> list[str]:
    """The flag that puts the run where one process would, so that a run that goes on is found before the ranks start."""
    return [] if urls.scheme(config.output_dir) else ["--output_dir", str(Path.cwd() / config.output_dir)]


def settle(spec: ModelSpec, loaded: Loaded[Any], options: LaunchConfig) -> tuple[Loaded[Any], str]:
    """The configuration with what was chosen, and the recipe for the ranks; one rank chooses by itself, and gets none.

    Raises:
        UserError: the ranks are on several servers, or nothing is to be trained; see `finetune.settle`.
    """
    placed = layout.lay_out(options)
    if placed.size == 1:
        return loaded, ""
    by_hand = f"mindzoo finetune {spec.name} --group_size {placed.size} --write_recipe FILE"
    if loaded.config.write_recipe:
        raise UserError(
            f"write_recipe writes a recipe and trains nothing, so there is nothing to launch; use {by_hand}"
        )
    if placed.nodes > 1:
        raise UserError(
            f"finetune chooses by the machine, and the ranks are on {placed.nodes} servers; use {by_hand} first, and launch train with "
            "--config_path FILE on each"
        )
    environment.check_mindspore()
    from mindzoo.utils.finetuning import finetune

    fetched = storage.fetch(named.fetch(loaded), spec.cache_paths)
    device = {"device_target": options.device_target} if options.device_target else {}
    config = dataclasses.replace(fetched.config, group_size=placed.size, **device)
    found = finetune.settle(spec, dataclasses.replace(fetched, config=config))
    settled = dataclasses.replace(loaded.config, **found.values)
    return dataclasses.replace(loaded, config=settled, given=loaded.given | found.values.keys()), found.recipe
