"""What is known of a network before any file: its size, what it computes, its recipes, what is published of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mindspore import nn

from mindzoo.utils import runtime
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.files import json_text
from mindzoo.utils.information import table
from mindzoo.utils.information.cost import Layer, layers_of
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

BYTES = 4  # of a float32
MEGABYTE = 1_000_000


def show(spec: ModelSpec, loaded: Loaded[Any]) -> None:
    """Say what the network is, as text or JSON.

    Raises:
        UserError: images or options that the network cannot take.
    """
    facts = describe(spec, loaded)
    if loaded.config.json:
        logger.info(json_text(facts).rstrip())
        return
    for line in _text(facts):
        logger.info(line)


def describe(spec: ModelSpec, loaded: Loaded[Any]) -> dict[str, Any]:
    """The facts, as `--json` writes them."""
    config = loaded.config
    options = {name: getattr(config, name) for name in spec.options if name in loaded.given}
    spec.check_image_size(config.image_size)
    if "image_size" in spec.options:
        options["image_size"] = config.image_size
    runtime.start("CPU")
    network = spec.make(config.num_classes, options)
    layers = layers_of(network, config.image_size)
    return {
        "network": spec.name,
        "title": spec.title,
        "paper": spec.paper,
        "options": options,
        "num_classes": config.num_classes,
        "image_size": list(config.image_size),
        "parameters": _parameters(network),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "activations": _activations(layers, config.batch_size),
        "layers": [dataclasses.asdict(layer) for layer in table.folded(layers, config.depth)],
        "freeze": freeze_patterns(network),
        "recipes": recipes(spec.recipes),
        "published": dict(spec.published),
    }


def _parameters(network: nn.Cell) -> dict[str, int]:
    trainable = sum(one.size for one in network.trainable_params())
    return {"trainable": trainable, "buffers": sum(one.size for one in network.get_parameters()) - trainable}


def _activations(layers: list[Layer], batch_size: int) -> dict[str, Any]:
    """Numbers in the outputs of all layers, and float32 megabytes of them."""
    values = sum(layer.values for layer in layers)
    per_image = values * BYTES / MEGABYTE
    return {
        "values": values,
        "all_mb_per_image": round(per_image, 2),
        "batch_size": batch_size,
        "all_mb_per_batch": round(per_image * batch_size, 2),
        "largest_mb_per_batch": round(max(one.values for one in layers) * BYTES * batch_size / MEGABYTE, 2),
    }


def freeze_patterns(network: nn.Cell) -> dict[str, int]:
    """{pattern: trainable numbers} of each block, as `--freeze` takes the patterns; in the order of the network."""
    blocks: dict[str, int] = {}
    for one in network.trainable_params():
        parts = one.name.split(".")
        pattern = ".".join(parts[: min(2, len(parts) - 1)]) + ".*" if len(parts) > 1 else one.name
        blocks[pattern] = blocks.get(pattern, 0) + one.size
    return blocks


def recipes(folder: Path) -> dict[str, str]:
    """{name: what it reproduces}, from the comment at the head of each recipe."""
    return {path.stem: _purpose(path) for path in sorted(folder.glob("*.yaml"))}


def _purpose(path: Path) -> str:
    """The comment's first paragraph, up to the next word with a colon."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or (words and line[2:3].strip()):
            break
        words.append(line[1:].strip())
    return " ".join(words).removeprefix("Reproduces:").strip()


def _text(facts: dict[str, Any]) -> list[str]:
    size, kept, numbers = facts["image_size"], facts["activations"], facts["parameters"]
    published = ", ".join(f"{name} {value:.2f} %" for name, value in facts["published"].items()) or "none"
    return [
        f"{facts['title']} ({facts['paper']})",
        f"input          {size[0]} x {size[1]} pixels, {facts['num_classes']} classes",
        f"parameters     {numbers['trainable']:,} trainable, {numbers['buffers']:,} in buffers",
        f"multiply-adds  {facts['multiply_adds'] / 1e9:.3f} G per image",
        f"outputs        {kept['values']:,} numbers per image; of all layers {kept['all_mb_per_batch']} MB, of the "
        f"largest {kept['largest_mb_per_batch']} MB, for a batch of {kept['batch_size']} in float32",
        f"published      {published}, as the original README claims",
        "",
        *table.lines([Layer(**{**layer, "shape": tuple(layer["shape"])}) for layer in facts["layers"]]),
        "",
        "patterns for --freeze, with the numbers that they hold:",
        *(f"  {pattern}  {count:,}" for pattern, count in facts["freeze"].items()),
        "",
        "recipes for --config_path:",
        *(f"  {name}  {purpose}" for name, purpose in facts["recipes"].items()),
    ]
