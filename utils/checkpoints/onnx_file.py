"""The weights in an ONNX file, by the names of its initializers, and what an export of ours says of them beside it.

The graph is not looked at: a network that is built for the weights computes what it computes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.errors import UserError, shorten

HINT = "wanted the facts that mindzoo export writes beside a file; export it again, or remove them"
# What exporters call the values that are no weights: a path in the graph, or a number.
OF_THE_GRAPH = ("/", "::")


@dataclasses.dataclass(frozen=True)
class OnnxFile:
    """The weights, and the facts of an export of ours as a checkpoint has them, in JSON; empty where there are none."""

    arrays: dict[str, np.ndarray]
    facts: str


def read_onnx(path: Path) -> OnnxFile:
    """The weights of an ONNX file in one piece.

    Raises:
        UserError: it is damaged, has its weights elsewhere, is not the file that the facts beside it are of, or the
            package onnx is missing.
        OSError: it cannot be read.
    """
    if find_spec("onnx") is None:
        raise UserError(f"{path} is an ONNX file, and reading it needs onnx: pip install onnx (mindzoo's extra onnx)")
    content = path.read_bytes()
    beside = path.with_name(f"{path.name}.json")
    facts = as_checkpoint(path, read_json(beside, "file", HINT), content) if beside.is_file() else ""
    return OnnxFile(_arrays(path, content), facts)


def _arrays(path: Path, content: bytes) -> dict[str, np.ndarray]:
    import onnx
    from onnx import numpy_helper

    try:
        initializers = onnx.load_from_string(content).graph.initializer
    except Exception:  # protobuf's own, of which each of its versions has another home
        raise UserError(f"{path} is damaged or no ONNX file; export it again, or copy it anew") from None
    weights = [each for each in initializers if not any(mark in each.name for mark in OF_THE_GRAPH)]
    apart = [each.name for each in weights if each.data_location == onnx.TensorProto.EXTERNAL]
    if apart:
        raise UserError(
            f"{path} has its weights in another file ({shorten(apart, 1)}); wanted an ONNX file in one piece"
        )
    try:
        return {each.name: numpy_helper.to_array(each) for each in weights}
    except Exception as error:  # of a value whose bytes, type and shape do not go together
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{path} is damaged: a weight cannot be read: {reason}; export it again, or copy it anew"
        ) from None


def as_checkpoint(path: Path, facts: Any, content: bytes) -> str:
    """The facts of an export, as a checkpoint of ours has them, in JSON.

    Args:
        path: the exported file, of any format, and `content`, its bytes.

    Raises:
        UserError: they are none, or of another file.
    """
    try:
        found, outputs, preprocessing = facts["file"]["sha256"], facts["output"]["shape"][1], facts["preprocessing"]
        numbers = [str(number) for number in range(len(facts["classes"]))]
        taken = {
            "network": facts["network"],
            "options": facts["options"],
            "num_classes": outputs,
            "classes": [] if facts["classes"] == numbers else facts["classes"],
            "preprocessing": {each.name: preprocessing[each.name] for each in dataclasses.fields(PreprocessingKeys)},
        }
    except (LookupError, TypeError):
        raise UserError(f"{path}.json does not say what {path.name} is; {HINT}") from None
    if found != hashlib.sha256(content).hexdigest():
        raise UserError(f"{path}.json is of another file than {path.name}, or one of them is damaged; export it again")
    return json.dumps(taken)
