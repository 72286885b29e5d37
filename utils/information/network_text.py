"""What is said of a network, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import counted, shorten
from mindzoo.utils.information import table
from mindzoo.utils.information.cost import Layer

LABEL = 16  # characters


def lines(facts: Mapping[str, Any], *, depth: int | None, names: bool) -> list[str]:
    """The facts, without what takes many lines unless it is asked for.

    Args:
        depth: of the table of layers; None: no such table.
        names: name the parameters too.
    """
    text = [f"{facts['title']} ({facts['paper']})", *(f"{label:{LABEL}}{said}" for label, said in _said(facts))]
    text += ["", "recipes for --config_path:", *(f"  {name}: {why}" for name, why in facts["recipes"].items())]
    if depth is not None:
        layers = [Layer(**{**layer, "shape": tuple(layer["shape"])}) for layer in facts["layers"]]
        text += ["", *table.layer_lines(table.folded(layers, depth))]
    if names:
        text += _parameters(facts)
    hidden = [flag for flag, shown in (("--layer_table", depth is not None), ("--parameters", names)) if not shown]
    if hidden:
        text += ["", f"more: {' '.join(hidden)}"]
    return text


def _said(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels, and what stands behind them."""
    numbers, kept, memory = facts["parameters"], facts["activations"], facts["memory"]
    options = ", ".join(f"{name} {show(_plain(value))}" for name, value in facts["options"].items())
    published = ", ".join(f"{name} {value:.2f} %" for name, value in facts["published"].items()) or "none"
    return [
        ("input", f"{' x '.join(map(str, facts['image_size']))} pixels, {counted(facts['num_classes'], 'class')}"),
        ("options", options or "the defaults"),
        ("parameters", f"{numbers['trainable']:,} trainable, {numbers['buffers']:,} more in buffers"),
        ("multiply-adds", f"{facts['multiply_adds'] / 1e9:.3f} G per image"),
        (
            "activations",
            f"{kept['all'] / 1e6:.2f} M numbers per image come out of all layers, "
            f"{kept['of_convolutions_and_dense_layers'] / 1e6:.2f} M out of convolutions and dense layers",
        ),
        (
            "memory",
            f"about {memory['inference_mb']:,.1f} MB in inference and {memory['training_mb']:,.1f} MB in training, "
            f"for a batch of {memory['batch_size']} in float32; an estimate",
        ),
        ("receptive field", _field(facts["receptive_field"])),
        ("published", f"{published}, as the original README claims"),
    ]


def _field(field: Mapping[str, Any] | None) -> str:
    if field is None:
        return "there is no map"
    local = f"{field['pixels']:,} pixels" if field["pixels"] else "more pixels than were tried"
    own = f"{local} per side, one every {field['stride']}"
    whole = field["whole_image_by"]
    return f"the whole image, by {shorten(whole, 2)}; without them {own}" if whole else own


def _parameters(facts: Mapping[str, Any]) -> list[str]:
    patterns = [[f"  {pattern}", f"{count:,}"] for pattern, count in facts["freeze"].items()]
    each = [
        [f"  {one['name']}", " x ".join(map(str, one["shape"])) or "one number", f"{one['size']:,}"]
        for one in facts["parameter_names"]
    ]
    return [
        "",
        "patterns for --freeze, and how many numbers each stands for:",
        *table.aligned(patterns, numbers=1),
        "",
        "parameters:",
        *table.aligned(each, numbers=1),
    ]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
