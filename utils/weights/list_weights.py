"""Which public weights there are, as a table for people or as JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mindzoo.utils.errors import UserError, aligned, nearest
from mindzoo.utils.files import json_text
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights import public
from mindzoo.utils.weights.keys import ListWeightsConfig
from mindzoo.utils.weights.public import PublicWeights
from mindzoo.utils.weights.web_address import DIGITS

NOT_PUBLISHED = "not published"
MORE = "mindzoo list-weights NETWORK says where each of them is; a name stands for its address wherever a checkpoint is taken"
HEAD = ("network", "name", "top-1", "top-5", "measured on", "licence", "SHA-256")


def run(specs: Mapping[str, ModelSpec], config: ListWeightsConfig) -> None:
    """Log them.

    Raises:
        UserError: there is no such network.
    """
    for name in config.network:
        if name not in specs:
            raise UserError(f"there is no network {name}{nearest(name, specs)}; there are {', '.join(specs)}")
    names = config.network or tuple(specs)
    found = [weights for name in names for weights in public.of_network(specs[name])]
    if config.json:
        logger.info(json_text([facts(weights) for weights in found]).rstrip("\n"))
        return
    for line in aligned([HEAD, *map(_row, found)]):
        logger.info("%s", line)
    for line in details(found) if config.network else ["", MORE]:
        logger.info("%s", line)


def facts(weights: PublicWeights) -> dict[str, Any]:
    """All that is known, for JSON; null where it is not published."""
    values = {**dataclasses.asdict(weights), "sha256": weights.address.sha256}
    return {name: value or None for name, value in values.items()}


def details(found: list[PublicWeights]) -> list[str]:
    """The address, and what else there is to say of each."""
    said = []
    for weights in found:
        said += ["", f"{weights.name}: {weights.url}", f"  images: {_images(weights.preprocessing)}"]
        said += [f"  {weights.remark}"] if weights.remark else []
    return said


def _row(weights: PublicWeights) -> tuple[str, ...]:
    top1, top5 = (str(weights.accuracy.get(name, NOT_PUBLISHED)) for name in ("top1", "top5"))
    licence = weights.licence or NOT_PUBLISHED
    return weights.network, weights.name, top1, top5, _images(weights.accuracy), licence, _digest(weights)


def _images(how: Mapping[str, Any]) -> str:
    """How images come to their size, in a few words."""
    names = ("image_size", "resize_size", "crop_pct", "interpolation")
    size, resized, crop, interpolation = (how.get(name) for name in names)
    known = (
        f"{size} x {size}" if size else "",
        f"from {resized}" if resized else "",
        f"crop {crop:g}" if crop else "",
        interpolation or "",
    )
    return ", ".join(filter(None, known)) or NOT_PUBLISHED


def _digest(weights: PublicWeights) -> str:
    """Whether all of it is known or some digits: what is verified differs."""
    digest = weights.address.sha256
    if not digest:
        return NOT_PUBLISHED
    return f"{digest[:8]}..." if len(digest) == DIGITS else f"{digest} (its first digits)"
