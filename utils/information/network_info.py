"""What is known of a network before any file: its size, what it computes, its recipes, what is published of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mindspore import nn

from mindzoo.utils import runtime
from mindzoo.utils.checkpoints.network_plan import MOST_PARAMETERS
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.config.reading import show as show_value
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_json
from mindzoo.utils.information import network_text, receptive_field
from mindzoo.utils.information.cost import Layer, last_map, layers_of
from mindzoo.utils.information.dry_run import undrawn
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

BYTES = 4  # of a float32
MEGABYTE = 1_000_000
DECIMALS = 3  # of MB
MOST_PIXELS, MOST_NUMBERS = 2048, 500_000_000  # of what is looked at: seconds, and 2 GB
TRAINED = 3  # numbers that a training keeps for each parameter: its value, its gradient, one momentum
PATTERN_PARTS = 2  # of a parameter's name, in a pattern
LARGE = 128  # pixels per side of images whose last maps are no single pixels


def show(spec: ModelSpec, loaded: Loaded[Any]) -> None:
    """Say what the network is, and write it as JSON where that is asked for.

    Raises:
        UserError: images or options that the network cannot take; output cannot be written.
    """
    config = loaded.config
    check_output("output", config.output, (".json",))
    _refuse_huge(spec, config)
    options = {name: getattr(config, name) for name in spec.options if name in loaded.given}
    facts = describe(spec, config.num_classes, config.image_size, options, config.batch_size)
    for line in network_text.lines(facts, depth=config.depth if config.layer_table else None, names=config.parameters):
        logger.info(line)
    if config.output:
        write_json(Path(config.output), facts)
        logger.info("wrote %s", config.output)


def _refuse_huge(spec: ModelSpec, config: Any) -> None:
    """Refuse what would take all the memory of a machine, or many minutes, to look at.

    Raises:
        UserError: says what is too large.
    """
    if max(config.image_size) > MOST_PIXELS:
        raise UserError(
            f"image_size is {show_value(config.image_size)}; info counts up to {MOST_PIXELS} pixels per side"
        )
    try:
        parameters, numbers = spec.at_least(spec.network_options(config), config.num_classes)
    except ValueError:
        return  # options that do not go together, which the network itself refuses in words
    if parameters > MOST_PARAMETERS or numbers > MOST_NUMBERS:
        raise UserError(
            f"{spec.name} would have at least {numbers:,} numbers in {parameters:,} parameters with these options; "
            f"info looks at up to {MOST_NUMBERS:,} in {MOST_PARAMETERS:,}"
        )


def describe(
    spec: ModelSpec, num_classes: int, image_size: Sequence[int], options: Mapping[str, Any], batch_size: int = 1
) -> dict[str, Any]:
    """All of it, for JSON.

    Args:
        image_size: height and width.
        options: arguments of the network; those that are left out have their defaults.

    Raises:
        UserError: images or options that the network cannot take.
    """
    spec.check_image_size(image_size)
    runtime.start("CPU")
    network = _made(spec, num_classes, image_size, options)
    parameters = [{"name": one.name, "shape": list(one.shape), "size": one.size} for one in network.trainable_params()]
    trained = sum(one.size for one in network.trainable_params())
    buffers = sum(one.size for one in network.get_parameters()) - trained
    layers = layers_of(network, tuple(image_size))
    return {
        "network": spec.name,
        "title": spec.title,
        "paper": spec.paper,
        "options": dict(options),
        "num_classes": num_classes,
        "image_size": list(image_size),
        "parameters": {"trainable": trained, "buffers": buffers},
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "activations": _activations(layers),
        "memory": _memory(layers, trained, buffers, batch_size),
        "receptive_field": _field(spec, network, layers, image_size, options),
        "layers": [dataclasses.asdict(layer) for layer in layers],
        "freeze": freeze_patterns(parameters),
        "parameter_names": parameters,
        "recipes": recipes(spec.recipes),
        "published": dict(spec.published),
        "published_step": _published_step(spec),
    }


def _made(spec: ModelSpec, num_classes: int, image_size: Sequence[int], options: Mapping[str, Any]) -> nn.Cell:
    """The network, for images of that size where it is built for one."""
    sized = {"image_size": tuple(image_size)} if "image_size" in spec.options else {}
    with undrawn():
        return spec.make(num_classes, {**options, **sized})


def _activations(layers: Sequence[Layer]) -> dict[str, int]:
    """Numbers in the outputs of all layers for one image, of those with weights of their own to multiply by, and of the largest."""
    return {
        "all": sum(layer.values for layer in layers),
        "of_convolutions_and_dense_layers": sum(one.values for one in layers if one.kind in ("Conv2d", "Dense")),
        "largest": max(layer.values for layer in layers),
    }


def _memory(layers: Sequence[Layer], trained: int, buffers: int, batch_size: int) -> dict[str, Any]:
    """Estimates in MB of float32, for a batch.

    Inference: all parameters, and of each pair of layers in a row, an input and an output, the largest. Training: values,
    gradients and one momentum of the parameters, and the outputs of all layers, which the way back needs.
    """
    pairs = [one.values + next_one.values for one, next_one in itertools.pairwise(layers)]
    weights = (trained + buffers) * BYTES
    training = (TRAINED * trained + buffers) * BYTES
    return {
        "batch_size": batch_size,
        "parameters_mb": round(weights / MEGABYTE, DECIMALS),
        "inference_mb": round((weights + batch_size * max(pairs, default=0) * BYTES) / MEGABYTE, DECIMALS),
        "training_mb": round(
            (training + batch_size * sum(layer.values for layer in layers) * BYTES) / MEGABYTE, DECIMALS
        ),
    }


def _field(
    spec: ModelSpec, network: nn.Cell, layers: list[Layer], image_size: Sequence[int], options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The receptive field of the last map, and the layers in front of it that see a whole map.

    Of small images the last maps are single pixels, which look like what a pooling leaves. So large ones say which layer is the last.
    """
    large = [math.ceil(LARGE / side) * side for side in image_size]
    if large != [*image_size]:
        layers_of_large = layers_of(_made(spec, 1, large, options), (large[0], large[1]))
    else:
        layers_of_large = layers
    last = last_map(layers_of_large)
    if last is None:
        return None
    whole = [layer.name for layer in layers_of_large[: layers_of_large.index(last)] if layer.sees_whole_map]
    stride = max(round(large[0] / last.shape[1]), 1)
    multiple = math.lcm(stride, spec.size_multiple)
    height = math.ceil(spec.least_size / multiple) * multiple

    def of_width(width: int) -> nn.Cell:
        return _made(spec, 1, (height, width), options) if "image_size" in spec.options else network

    found = receptive_field.receptive_field(of_width, last.name, height, whole)
    return {
        "layer": last.name,
        "map": next(list(layer.shape) for layer in layers if layer.name == last.name),
        "pixels": found.pixels if found else None,
        "stride": found.stride if found else stride,
        "whole_image_by": whole,
    }


def freeze_patterns(parameters: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """{pattern: trainable numbers} of each block, as `--freeze` takes the patterns; in the order of the network."""
    blocks: dict[str, int] = {}
    for one in parameters:
        parts = one["name"].split(".")
        pattern = ".".join(parts[: min(PATTERN_PARTS, len(parts) - 1)]) + ".*" if len(parts) > 1 else one["name"]
        blocks[pattern] = blocks.get(pattern, 0) + one["size"]
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


def _published_step(spec: ModelSpec) -> dict[str, Any] | None:
    return dataclasses.asdict(spec.published_step) if spec.published_step else None
