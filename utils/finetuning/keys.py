"""The configuration keys of `mindzoo finetune`: those of a training, and its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mindzoo.utils.config.reading import key
from mindzoo.utils.finetuning.rules import OPTIMIZER

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class FinetuneKeys:
    """Fine-tuning"""

    write_recipe: str = key(
        "", "file to write the chosen recipe to, .yaml, for train --config_path; nothing is trained then"
    )


def finetune_config(spec: ModelSpec) -> type[Any]:
    """The keys of the network's training, with the optimizer that is chosen, and those of FinetuneKeys first in their help."""
    own = next(field for field in dataclasses.fields(spec.train_config) if field.name == "optimizer")
    optimizer = dataclasses.field(default=OPTIMIZER, metadata=own.metadata)
    bases = (spec.train_config, FinetuneKeys)
    return dataclasses.make_dataclass("FinetuneConfig", [("optimizer", str, optimizer)], bases=bases, frozen=True)
