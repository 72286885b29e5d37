"""What somebody who has only an exported file needs to use it, and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms

from mindzoo import __version__
from mindzoo.utils import files
from mindzoo.utils.checkpoints.checkpoint_facts import checkpoint_facts
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.config.keys import ExportConfig
from mindzoo.utils.engine.difference import TOLERANCE
from mindzoo.utils.inference import ascend_model, export_beside
from mindzoo.utils.inference.export_graph import INPUT, OUTPUT
from mindzoo.utils.inference.preprocessing_steps import steps
from mindzoo.utils.spec import ModelSpec

SCHEMA = 2  # of the facts; those of before have no number


def facts(
    spec: ModelSpec,
    config: ExportConfig,
    made_from: Source,
    written: Path,
    name: str,
    verification: dict[str, Any],
) -> dict[str, Any]:
    """All of it, for JSON. No path of this machine is in it: it travels with the file.

    Args:
        written: the exported file, and `name`, the one that it gets.
        verification: see `verified`.
    """
    how, inside = made_from.preprocessing, config.preprocess == "inside"
    batch: Any = "any" if config.file_format == "ONNX" else config.batch_size
    planes: dict[str, Any] = {"shape": [batch, 3, *how.image_size], "dtype": "float32", "layout": "NCHW"}
    pixels: dict[str, Any] = {"shape": [batch, *how.image_size, 3], "dtype": "uint8", "layout": "NHWC"}
    taken = pixels if inside else planes
    content = {
        "schema": SCHEMA,
        "network": spec.name,
        "options": made_from.plan.options,
        "format": config.file_format,
        "file": {"name": name, "sha256": files.sha256(written)},
        "input": {"name": INPUT, **taken, "color": "RGB"},
        "output": {
            # The other formats do not keep the name of an output.
            "name": OUTPUT if config.file_format == "ONNX" else None,
            "shape": [batch, made_from.plan.num_classes],
            "dtype": "float32",
            "meaning": "logits",
            "probabilities": "softmax over the last axis",
        },
        "preprocessing": {
            **how.to_dict(),
            "resized": list(how.resized),
            "interpolation": "bilinear",
            "value_range": [0, 1],
            "steps": steps(how, scaled_inside=inside),
        },
        "classes": made_from.class_names(),
        "checkpoint": checkpoint_facts(made_from.checkpoint, config.weights),
        "verification": verification,
        "mindzoo": __version__,
        "mindspore": ms.__version__,
    }
    if config.file_format in ascend_model.FRAMEWORKS:
        config_name = export_beside.aipp_name(Path(name), config, how)
        content["ascend"] = ascend_model.facts(config.file_format, name, taken["shape"], config_name)
    return content


def verified(file_format: str, image: Path, difference: float | None, not_compared: str) -> dict[str, Any]:
    """Whether the file gives the network's logits; `difference` is None where nothing was compared, for that reason."""
    if difference is None:
        return {"verified": False, "reason": not_compared}
    found = {
        "verified": file_format != "AIR",
        "image": image.name,
        "largest_relative_difference": difference,
        "tolerance": TOLERANCE,
    }
    if file_format == "AIR":
        found["reason"] = "AIR cannot be loaded again; a MINDIR of the same graph was verified"
    return found
