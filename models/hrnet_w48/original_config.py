"""The `model` of the original configuration, converted into the network's options.

A name, `cls_hrnet_w48`, or the mapping that the original's config.py and the authors' YAML files have:

    name: cls_hrnet_w48
    extra:
      STAGE2: {NUM_MODULES: 1, BLOCK: BASIC, NUM_BLOCKS: [4, 4], NUM_CHANNELS: [48, 96], ...}
      ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mindzoo.models.hrnet_w48.constants import STEM_CHANNELS
from mindzoo.utils.config.reading import Conversion
from mindzoo.utils.errors import UserError

NAME = r"(cls_)?(hrnet_)?w(?P<width>\d+)"
STAGES = ("STAGE1", "STAGE2", "STAGE3", "STAGE4")


def model_options(value: Any) -> dict[str, Any]:
    """The options width, modules and blocks that a name or a mapping means.

    Raises:
        UserError: another name, or a structure that this network cannot have.
    """
    if isinstance(value, Mapping):
        return _of_mapping(value)
    name = re.fullmatch(NAME, str(value).strip(), re.IGNORECASE)
    if name is None:
        raise UserError(f"model is {value}; wanted cls_hrnet_w and the width, such as cls_hrnet_w48")
    return {"width": int(name["width"])}


def _of_mapping(model: Mapping[str, Any]) -> dict[str, Any]:
    extra = model.get("extra")
    if not isinstance(extra, Mapping):
        return model_options(model.get("name"))
    missing = [stage for stage in STAGES if not isinstance(extra.get(stage), Mapping)]
    if missing:
        raise UserError(f"model has no {', '.join(missing)}; wanted a mapping for each of {', '.join(STAGES)}")
    options: dict[str, Any] = {
        "width": _first(extra, "STAGE2", "NUM_CHANNELS"),
        "modules": tuple(_first(extra, stage, "NUM_MODULES") for stage in STAGES[1:]),
        "blocks": _first(extra, "STAGE1", "NUM_BLOCKS"),
    }
    for stage, wanted in _structure(**options).items():
        for word, value in wanted.items():
            if extra[stage].get(word, value) != value:
                raise UserError(f"model has {stage} {word} {extra[stage][word]}; this network has {value} there")
    return options


def _first(extra: Mapping[str, Any], stage: str, word: str) -> int:
    """A number, or the first of a list of them."""
    found = extra[stage].get(word)
    number = found[0] if isinstance(found, list) and found else found
    if not isinstance(number, int) or isinstance(number, bool):
        raise UserError(f"model has {stage} {word} {found}; wanted whole numbers")
    return number


def _structure(width: int, modules: tuple[int, ...], blocks: int) -> dict[str, dict[str, Any]]:
    """The mapping of the network that has these options."""
    return {
        stage: {
            "NUM_MODULES": count,
            "NUM_BRANCHES": branches,
            "BLOCK": "BOTTLENECK" if branches == 1 else "BASIC",
            "NUM_BLOCKS": [blocks] * branches,
            "NUM_CHANNELS": [STEM_CHANNELS] if branches == 1 else [width * 2**k for k in range(branches)],
            "FUSE_METHOD": "SUM",
        }
        for branches, (stage, count) in enumerate(zip(STAGES, (1, *modules), strict=True), 1)
    }


MODEL = Conversion(
    "the original's model: cls_hrnet_w48, or in a YAML file its mapping of stages; sets width, modules and blocks",
    ("width", "modules", "blocks"),
    model_options,
)
