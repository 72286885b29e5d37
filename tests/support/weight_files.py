"""Small weights by the names of several zoos, and files with them, written byte by byte."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

GROWTH, FEATURES, CLASSES = 2, 4, 3
OPTIONS: dict[str, Any] = {
    "flavour": "zoo", "block_config": [1, 1], "growth_rate": GROWTH, "init_features": FEATURES,
}  # fmt: skip
META: dict[str, Any] = {
    "network": "densenet121",
    "options": OPTIONS,
    "num_classes": CLASSES,
    "classes": ["blue", "grün", "red"],
    "preprocessing": {
        "image_size": [32, 32],
        "crop_pct": 1.0,
        "resize_mode": "square",
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
    },
    "epoch": 2,
    "epoch_step": 3,
    "step": 15,
    "steps_per_epoch": 6,
    "best": {"accuracy": 0.5, "epoch": 1, "step": 6},
    "evaluation": None,
    "format": 1,
}
TYPES = {"f4": "Float32", "f2": "Float16", "f8": "Float64", "i4": "Int32", "i8": "Int64", "u1": "UInt8", "b1": "Bool"}
SAFETENSORS = {"f4": "F32", "f2": "F16", "f8": "F64", "i4": "I32", "i8": "I64", "u1": "U8", "b1": "BOOL"}


def tiny_weights(seed: int = 1) -> dict[str, np.ndarray]:
    """Of a DenseNet of two blocks with one layer each, by our names: 26 arrays, float32."""
    shapes: dict[str, tuple[int, ...]] = {"backbone.features.conv0.weight": (FEATURES, 3, 7, 7)}
    shapes |= _norm("backbone.features.norm0", FEATURES)
    channels = FEATURES
    for block in (1, 2):
        layer = f"backbone.features.denseblock{block}.cell_list.0"
        shapes |= _norm(f"{layer}.norm1", channels) | {f"{layer}.conv1.weight": (4 * GROWTH, channels, 1, 1)}
        shapes |= _norm(f"{layer}.norm2", 4 * GROWTH) | {f"{layer}.conv2.weight": (GROWTH, 4 * GROWTH, 3, 3)}
        channels += GROWTH
        if block == 1:
            between = "backbone.features.transition1.features"
            shapes |= _norm(f"{between}.norm", channels) | {f"{between}.conv.weight": (channels // 2, channels, 1, 1)}
            channels //= 2
    shapes |= _norm("backbone.features.norm5", channels)
    shapes |= {"head.fc.weight": (CLASSES, channels), "head.fc.bias": (CLASSES,)}
    chance = np.random.default_rng(seed)
    return {name: np.abs(chance.normal(1, 0.2, shape)).astype(np.float32) for name, shape in shapes.items()}


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{leaf}": (channels,) for leaf in ("gamma", "beta", "moving_mean", "moving_variance")}


def of_torch(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same by torchvision's names."""
    return {in_torch_words(name): value for name, value in of_mindcv(weights, layers="denselayer").items()}


def in_torch_words(name: str) -> str:
    """A name with PyTorch's words for the parameters of batch norm."""
    words = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    stem, _, leaf = name.rpartition(".")
    return f"{stem}.{words.get(leaf, leaf)}"


def of_mindcv(weights: Mapping[str, np.ndarray], layers: str = "") -> dict[str, np.ndarray]:
    """The same by mindcv's names; with `layers` as torchvision has the layers of a block."""

    def renamed(name: str) -> str:
        name = name.removeprefix("backbone.").replace("head.fc.", "classifier.")
        if layers:
            name = re.sub(r"cell_list\.(\d+)", lambda match: f"{layers}{int(match[1]) + 1}", name)
            name = re.sub(r"(transition\d)\.features", r"\1", name)
        return name

    return {renamed(name): value for name, value in weights.items()}


def ours(weights: Mapping[str, np.ndarray], **meta: Any) -> bytes:
    """A .ckpt as this zoo writes it, with other facts where they are given."""
    arrays = {"mindzoo.parameters": np.int32(len(weights)), **weights}
    return ckpt(arrays, {"mindzoo": json.dumps({**META, **meta}, ensure_ascii=False)})


def ckpt(arrays: Mapping[str, Any], texts: Mapping[str, str] | None = None, *, checksum: bool = True) -> bytes:
    """A .ckpt as MindSpore writes it."""
    rows = [
        _value(name, np.shape(array), TYPES[np.asarray(array).dtype.str[1:]], np.asarray(array).tobytes())
        for name, array in arrays.items()
    ]
    rows += [_value(name, (0,), "str", text.encode("utf-32-le")) for name, text in (texts or {}).items()]
    return sealed(b"".join(rows)) if checksum else b"".join(rows)


def sealed(message: bytes) -> bytes:
    """The message with its checksum behind it."""
    return message + b"crc_num" + zlib.crc32(message).to_bytes(10, "big")


def _value(name: str, dims: tuple[int, ...], kind: str, content: bytes) -> bytes:
    tensor = b"".join(b"\x08" + number(side) for side in dims) + block(2, kind.encode()) + block(3, content)
    return block(1, block(1, name.encode()) + block(2, tensor))


def block(field: int, content: bytes) -> bytes:
    """A field of a protobuf message that has a length."""
    return number(field << 3 | 2) + number(len(content)) + content


def number(value: int) -> bytes:
    """A number as protobuf writes it, of at most 64 bits."""
    value %= 1 << 64
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def safetensors(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """A file of safetensors."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, array in arrays.items():
        places = [at, at := at + array.nbytes]
        header[name] = {"dtype": SAFETENSORS[array.dtype.str[1:]], "shape": list(array.shape), "data_offsets": places}
    return with_header(json.dumps(header).encode(), b"".join(array.tobytes() for array in arrays.values()))


def onnx_file(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An ONNX file of a graph that does nothing, with these initializers."""
    import onnx

    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_graph([node], "graph", ends[:1], ends[1:], initializers)
    return bytes(onnx.helper.make_model(graph).SerializeToString())


def with_header(header: bytes, numbers: bytes = b"") -> bytes:
    """The parts of such a file, one behind the other."""
    return struct.pack("<Q", len(header)) + header + numbers
