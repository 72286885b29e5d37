"""What differs between the MindSpore versions that mindzoo supports, in one place."""

from __future__ import annotations

from typing import Any

import mindspore as ms


def device_available(target: str) -> bool:
    """Whether this installation of MindSpore can compute on `target`, one of CPU, GPU and Ascend."""
    if target == "CPU":
        return True
    try:
        return bool(ms.hal.is_available(target))
    except (AttributeError, RuntimeError, ValueError):
        return False


def export_onnx(network: Any, inputs: Any, name: str, input_name: str, output_name: str) -> None:
    """Write `network`, of one input and one output, as ONNX to the file `name` in the current folder.

    The first dimension of the input is named `batch`.
    """
    dynamic = {input_name: {0: "batch"}}
    names = {"input_names": [input_name], "output_names": [output_name]}
    ms.onnx.export(network, inputs, file_name=name, dynamic_axes=dynamic, **names)
