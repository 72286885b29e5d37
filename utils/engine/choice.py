"""Which engine computes: ONNX Runtime where it is installed and the device is a CPU, else MindSpore."""

from __future__ import annotations

from importlib.util import find_spec

from mindzoo.utils import environment
from mindzoo.utils.config.checkpoint_keys import ENGINE_CHOICES
from mindzoo.utils.errors import UserError

VARIABLE, CHOICES = "MINDZOO_ENGINE", ENGINE_CHOICES
MINDSPORE, ONNX_RUNTIME = CHOICES[1:]
PACKAGES = ("onnx", "onnxruntime")  # the first makes graphs, the second computes


def choose(given: str, device: str) -> str:
    """The engine that the key `engine` means on a device.

    Raises:
        UserError: ONNX Runtime is asked for and cannot be used, or MINDZOO_ENGINE has a value that means nothing.
    """
    wanted = asked_for(given)
    obstacle = "" if wanted == MINDSPORE else obstacle_on(device)
    if obstacle and wanted == ONNX_RUNTIME:
        raise UserError(f"engine is {ONNX_RUNTIME}, and {obstacle}")
    return MINDSPORE if obstacle or wanted == MINDSPORE else ONNX_RUNTIME


def asked_for(given: str) -> str:
    """One of CHOICES: the value of the key, or where it is auto that of the variable.

    Raises:
        UserError: the variable has another value.
    """
    return environment.asked_for(given, VARIABLE, CHOICES)


def obstacle_on(device: str) -> str:
    """Why ONNX Runtime cannot be used, and what to do, as the end of a sentence; empty where it can."""
    if device != "CPU":
        return f"the device is {device}; give --device_target CPU, or --engine {MINDSPORE}"
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        return (
            f"{' and '.join(missing)} {verb} not installed: pip install {' '.join(missing)} (mindzoo's extra onnx), or give "
            f"--engine {MINDSPORE}"
        )
    return ""
