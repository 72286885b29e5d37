"""Files of safetensors, which have no checksum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from mindzoo.tests.fuzz import mutate, networks
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support import weight_files

VALUES: tuple[Any, ...] = (0, -1, 1, 1.0, 2**40, 2**63, None, True, "F32", "x", [], {}, [0], [0, 0, 0], [1] * 99)


def good_files() -> list[bytes]:
    names = weight_files.of_torch(weight_files.tiny_weights())
    half = {f"module.{name}": value.astype(np.float16) for name, value in names.items()}
    return [weight_files.safetensors(names), weight_files.safetensors(half, {"format": "pt"})]


def change_header(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """An entry of the header is another, where the header can still be read."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        name = chance.choice(list(header))
        entry = header[name]
        key = chance.choice([*entry, "other"])
        entry[key] = chance.choice(VALUES)
        if chance.random() < 0.5 and isinstance(header[name].get("data_offsets"), list):
            entry["data_offsets"] = [chance.choice((0, 4, 100, -4, 2**62)), chance.choice((0, 4, 200, 2**62))]
    except (ValueError, LookupError, TypeError, AttributeError):
        return mutate.flip(chance, content, seeds)
    return weight_files.with_header(json.dumps(header).encode(), content[8 + length :])


TARGET = Target(
    good_files,
    on_file("a.safetensors", networks.load),
    may_differ=networks.only_numbers_differ,
    mutations=[*mutate.BYTES, *[change_header] * 4],
)
