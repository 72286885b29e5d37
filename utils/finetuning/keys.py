"""The configuration keys of `mindzoo finetune`: those of a training, and its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mindzoo.utils.config.reading import key

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class FinetuneKeys:
    """Fine-tuning"""

    write_recipe: str = key(
        "", "file to write the chosen recipe to, .yaml, for train --config_path; nothing is trained then"
    )


def finetune_config(spec: ModelSpec) -> type[Any]:
    """The keys of the network's training, with those of FinetuneKeys first in their help."""
    return dataclasses.make_dataclass("FinetuneConfig", (), bases=(spec.train_config, FinetuneKeys), frozen=True)
