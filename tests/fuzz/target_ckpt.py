"""MindSpore's checkpoints: of this zoo, and of the original one with and without a checksum."""

from __future__ import annotations

import numpy as np

from mindzoo.tests.fuzz import networks
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support import weight_files


def good_files() -> list[bytes]:
    weights = weight_files.tiny_weights()
    averaged = {f"ema.{name}": value for name, value in weight_files.tiny_weights(2).items()}
    zoo = {f"network.{name}": value for name, value in weights.items()}
    return [
        weight_files.ours(weights),
        weight_files.ours(networks.tiny_state({**weights, **averaged, "global_step": np.array([7], np.int32)})),
        weight_files.ckpt(zoo, checksum=False),
        weight_files.ckpt({**zoo, "global_step": np.int32(7)}),
        weight_files.ckpt(weight_files.of_mindcv(weights), checksum=False),
    ]


TARGET = Target(good_files, on_file("a.ckpt", networks.load), may_differ=networks.only_numbers_differ)
