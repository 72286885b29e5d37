"""`mindzoo finetune`: choose the keys of a training, say why, keep them as a recipe, and train."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.utils import runtime
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_text
from mindzoo.utils.finetuning import facts, recipe_text, rules
from mindzoo.utils.log import ProgressDisplay, logger
from mindzoo.utils.records import RECIPE
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import starting_point, trainer


@dataclass(frozen=True)
class Settled:
    """Values by key of the training, and the recipe that they are of."""

    values: dict[str, Any]
    recipe: str


def finetune(spec: ModelSpec, loaded: Loaded[Any], progress: ProgressDisplay) -> None:
    """Choose what is not given, and train; or write the recipe alone, where `write_recipe` asks for it.

    A run that goes on keeps what was chosen when it began.

    Raises:
        UserError: anything the user can mend in data, weights, values; see `trainer.train`.
    """
    target = loaded.config.write_recipe
    check_output("write_recipe", target, (".yaml", ".yml"))
    found = as_written(spec, loaded) if is_one_of_several(loaded.config) else settle(spec, loaded)
    if target:
        write_text(Path(target), found.recipe)
        logger.info("wrote %s; mindzoo train %s --config_path %s trains by it", target, spec.name, target)
        return
    config = reading.make(spec.train_config, found.values)
    trainer.train(spec, Loaded(config, frozenset(found.values)), progress, found.recipe)


def settle(spec: ModelSpec, loaded: Loaded[Any]) -> Settled:
    """What is given, and beside it what a run that goes on began with, or else what is chosen now.

    Raises:
        UserError: see `recipe_of_the_run` and `choose`.
    """
    own = of_a_training(spec, loaded)
    given = {name: getattr(own.config, name) for name in own.given}
    earlier = recipe_of_the_run(spec, own.config)
    if earlier:
        chosen = reading.read_yaml(spec.train_config, earlier, {})
        logger.info("fine-tuning goes on as %s says", earlier)
        return Settled({**chosen, **given}, earlier.read_text(encoding="utf-8", errors="surrogateescape"))
    chosen, reasons = choose(spec, own.config, given)
    for line in reasons:
        logger.info("%s", line)
    return Settled({**chosen, **given}, recipe_text.text(spec.name, {**chosen, **given}, reasons))


def is_one_of_several(config: Any) -> bool:
    """Whether a launcher started this process to train beside others."""
    return bool(config.is_distributed and not config.write_recipe and runtime.is_launched())


def as_written(spec: ModelSpec, loaded: Loaded[Any]) -> Settled:
    """What is given and what the recipe says: in each of several processes something else might be chosen.

    Raises:
        UserError: there is no recipe.
    """
    own = of_a_training(spec, loaded)
    if not own.config.config_path:
        raise UserError(
            f"finetune chooses in one process, and a launcher started this one; start it with mindzoo launch {spec.name} finetune, or write a "
            "recipe with --write_recipe FILE first, and launch train with --config_path FILE"
        )
    recipe = reading.find_recipe(own.config.config_path, spec.recipes)
    values = {name: getattr(own.config, name) for name in own.given}
    return Settled(values, recipe.read_text(encoding="utf-8", errors="surrogateescape"))


def choose(spec: ModelSpec, config: TrainConfig, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Values of keys that are not given, and why, in five lines.

    Raises:
        UserError: see `facts`.
    """
    images, weights = facts.images_of(config), facts.weights_of(spec, config)
    device = runtime.resolve_device(config.device_target)
    known = dataclasses.replace(facts.gather(spec, config, images, weights, device), unused=unused_beside(spec, given))
    found = rules.choose(known, given)
    prepared = facts.prepared_as(spec, weights) if weights else {}
    return {**{name: value for name, value in prepared.items() if name not in given}, **found.values}, found.reasons


def unused_beside(spec: ModelSpec, given: Mapping[str, Any]) -> frozenset[str]:
    """Keys that have no effect beside those that are given, such as the learning rate beside an optimizer that has one of its own."""
    config = reading.make(spec.train_config, {"optimizer": rules.OPTIMIZER, **given})
    loaded = Loaded(config, frozenset(given))
    return frozenset(field.name for field in dataclasses.fields(config) if loaded.why_not(field.name))


def of_a_training(spec: ModelSpec, loaded: Loaded[Any]) -> Loaded[TrainConfig]:
    """What was given, without the keys that a training does not have."""
    names = [field.name for field in dataclasses.fields(spec.train_config)]
    config = spec.train_config(**{name: getattr(loaded.config, name) for name in names})
    return dataclasses.replace(loaded, config=config, given=loaded.given & {*names})


def recipe_of_the_run(spec: ModelSpec, config: TrainConfig) -> Path | None:
    """The recipe of the run that goes on; None where one begins.

    Raises:
        UserError: the run was not begun by this command.
    """
    if not config.resume:
        return None
    checkpoint = (
        next(iter(starting_point.newest_first(spec, Path(config.output_dir))), None)
        if config.resume == "auto"
        else Path(config.resume)
    )
    if checkpoint is None:
        return None
    if not (checkpoint.parent / RECIPE).is_file():
        raise UserError(
            f"resume goes on from {checkpoint}, and there is no {RECIPE} beside it, so finetune did not begin that run; go on with mindzoo "
            f"train {spec.name}, or give another output_dir"
        )
    return checkpoint.parent / RECIPE
