"""Which engine computes."""

from __future__ import annotations

import pytest

from mindzoo.utils.engine import choice
from mindzoo.utils.errors import UserError


@pytest.mark.parametrize(
    ("given", "variable", "device", "installed", "chosen"),
    [
        ("auto", "", "CPU", True, "onnxruntime"),
        ("auto", "", "CPU", False, "mindspore"),
        ("auto", "", "Ascend", True, "mindspore"),
        ("auto", "mindspore", "CPU", True, "mindspore"),
        ("onnxruntime", "mindspore", "CPU", True, "onnxruntime"),
        ("mindspore", "onnxruntime", "CPU", True, "mindspore"),
        ("mindspore", "onyx", "CPU", True, "mindspore"),
        ("auto", "onyx", "CPU", True, "MINDZOO_ENGINE is onyx; wanted auto, mindspore or onnxruntime"),
        ("onnxruntime", "", "CPU", False, "onnxruntime are not installed: pip install onnx onnxruntime"),
        ("auto", "onnxruntime", "Ascend", True, "the device is Ascend; give --device_target CPU"),
    ],
)
def test_what_is_chosen(
    given: str, variable: str, device: str, installed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(choice.VARIABLE, variable)
    monkeypatch.setattr(choice, "find_spec", lambda name: object() if installed else None)
    if chosen in choice.CHOICES:
        assert choice.choose(given, device) == chosen
    else:
        with pytest.raises(UserError, match=chosen):
            choice.choose(given, device)
