"""The configuration keys of `mindzoo lr-find`: those of a training, and its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mindzoo.utils.config.learning_keys import ScheduleKeys, WeightKeys
from mindzoo.utils.config.reading import key
from mindzoo.utils.config.run_keys import RunKeys
from mindzoo.utils.errors import UserError

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec

# Of the keys of a run: where it starts and what is random are the same in a test of its rates.
OF_THE_START = {"pretrained", "replace_head", "freeze", "resume", "seed"}


@dataclass(frozen=True)
class LrFindKeys:
    """The test of learning rates"""

    output: str = key(
        "lr_find.png",
        "picture of the curve to write, .png, and beside it the numbers: the same name with .csv and .json added; needs mindzoo's extra plots; '': nothing is written",
    )
    lr_from: float = key(1e-5, "first learning rate", minimum=1e-12)
    lr_to: float = key(10.0, "last learning rate; the test ends earlier where the loss grows far", minimum=1e-12)
    lr_steps: int = key(
        100, "updates of the weights, each with a higher rate than the one before", minimum=10, maximum=10_000
    )

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]
        if self.lr_from >= self.lr_to:
            raise UserError(f"lr_from is {self.lr_from:g} and lr_to is {self.lr_to:g}; wanted lr_from below lr_to")


def lr_find_config(spec: ModelSpec) -> type[Any]:
    """These keys, and all of a training of the network."""
    named = {"__doc__": spec.train_config.__doc__, "__module__": __name__}
    made: type[Any] = dataclass(frozen=True)(type("LrFindConfig", (LrFindKeys, spec.train_config), named))
    return made


def without_effect(config: Any, names: Collection[str]) -> list[str]:
    """Those of the keys `names` that a test of learning rates takes no notice of: of the schedule, of what a run keeps."""
    conditions = {field.name: field.metadata.get("only_with", ()) for field in dataclasses.fields(config)}
    run = {field.name for field in dataclasses.fields(RunKeys)} - OF_THE_START
    schedule = {field.name for field in dataclasses.fields(ScheduleKeys)} - {"lr_base_batch"}
    averages = {field.name for field in dataclasses.fields(WeightKeys)} | {"ema_decay"}
    idle = run | schedule | averages | {"train_url"}
    return sorted(name for name in names if name in idle or _of_the_schedule(name, conditions))


def _of_the_schedule(name: str, conditions: Mapping[str, Any]) -> bool:
    return name == "schedule" or any(_of_the_schedule(other, conditions) for other, _ in conditions.get(name, ()))
