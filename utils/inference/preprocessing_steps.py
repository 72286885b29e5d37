"""The preprocessing as a list of steps that a program of somebody else can follow."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.data.transforms import Preprocessing

# What `mindspore.dataset.vision` does with an image of uint8; tests/inference/test_onnx_sample.py compares.
_RESIZE = {
    "step": "resize",
    "filter": "bilinear",
    "antialias": False,
    "pixel_centres": "half: the new pixel i lies at (i + 0.5) * old / new - 0.5 of the old ones, and no farther than the last",
    "arithmetic": "whole numbers, weights in 1/2048",
    "same_as": "cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)",
}


def steps(how: Preprocessing, *, scaled_inside: bool) -> list[dict[str, Any]]:
    """From a file's bytes to the network's input, in order; `inside` says whether the exported file does a step."""
    height, width = how.image_size
    outside: list[dict[str, Any]] = [_decode(), _orient(how), _resize(how), _centre_crop(height, width)]
    scaling: list[dict[str, Any]] = [
        {"step": "scale", "divide_by": 255},
        {"step": "normalise", "subtract": list(how.mean), "divide_by": list(how.std)},
        {"step": "layout", "from": "NHWC", "to": "NCHW", "dtype": "float32"},
    ]
    return [{**step, "inside": False} for step in outside] + [{**step, "inside": scaled_inside} for step in scaling]


def _decode() -> dict[str, Any]:
    return {
        "step": "decode",
        "dtype": "uint8",
        "layout": "HWC",
        "color": "RGB",
        "frame": "first",
        "alpha": "dropped",
        "gray": "three equal channels",
        "palette": "its colours",
        "16_bit": "upper byte",
        "cmyk": "inverted where a JPEG has Adobe's marker; then R = (255 - C) * (255 - K) / 255, G of M and B of Y likewise",
        "colour_profile": "ignored",
    }


def _orient(how: Preprocessing) -> dict[str, Any]:
    rules = {"stored": "pixels as they are in the file", "exif": "turned as Orientation in the file's EXIF block says"}
    tiff = "turned as its tag Orientation says in any case"
    return {"step": "orient", "mode": how.orientation, "rule": rules[how.orientation], "tiff": tiff}


def _resize(how: Preprocessing) -> dict[str, Any]:
    height, width = how.resized
    if how.resize_mode == "square":
        return {**_RESIZE, "mode": "square", "height": height, "width": width}
    return {
        **_RESIZE,
        "mode": "shorter",
        "shorter_side": max(height, width),
        "longer_side": "floor(longer / shorter * shorter_side), computed in float32",
    }


def _centre_crop(height: int, width: int) -> dict[str, Any]:
    return {
        "step": "centre_crop",
        "height": height,
        "width": width,
        "top": "floor((rows - height) / 2)",
        "left": "floor((columns - width) / 2)",
    }
