"""ONNX files, which have no checksum where no facts of an export lie beside them."""

from __future__ import annotations

import numpy as np

from mindzoo.tests.fuzz import networks
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support import weight_files


def good_files() -> list[bytes]:
    names = weight_files.of_torch(weight_files.tiny_weights())
    half = {f"module.{name}": value.astype(np.float16) for name, value in names.items()}
    return [weight_files.onnx_file(names), weight_files.onnx_file(half)]


TARGET = Target(good_files, on_file("a.onnx", networks.load), may_differ=networks.only_numbers_differ)
