"""Files of torch.save: the zip archive, whose members have checksums, and the format before, which has none."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np

from mindzoo.tests.fuzz import networks
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support import torch_files, weight_files


def good_files() -> list[bytes]:
    names = weight_files.of_torch(weight_files.tiny_weights())
    tensors = {name: torch_files.tensor(value, str(number)) for number, (name, value) in enumerate(names.items())}
    training = {
        "state_dict": {f"module.{name}": value for name, value in tensors.items()},
        "epoch": 3,
        "best": np.float64(0.5),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.pth")
        return [
            torch_files.write_zip(path, tensors).read_bytes(),
            torch_files.write_zip(path, training, pickle.DEFAULT_PROTOCOL).read_bytes(),
            torch_files.write_legacy(path, tensors).read_bytes(),
            torch_files.write_legacy(path, training).read_bytes(),
        ]


TARGET = Target(good_files, on_file("a.pth", networks.load), may_differ=networks.only_numbers_differ)
