"""Checkpoints that somebody made, with right checksums: what they say is anything, and is read or refused in words."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from mindzoo.tests.fuzz import mutate, networks, target_pth
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support import weight_files

TRAILER = 17  # bytes: crc_num and a number
VALUES: tuple[Any, ...] = (
    *(
        0,
        -1,
        1,
        2,
        1.5,
        2**31,
        2**40,
        2**63,
        1e300,
        None,
        True,
        "",
        "x",
        "zoo",
        "hrnet_w48",
        [],
        {},
        [1],
        [1, 1],
        [2**30] * 4,
    ),
    *(
        [1] * 1000,
        [[[]]],
        {"a": {}},
        ["a"] * 9,
        "9" * 5000,
        [0.0, 0.0, 0.0],
        [1 << 20, 1 << 20],
        "multigrain",
        [3, 4, 23, 3],
    ),
)


def good_files() -> list[bytes]:
    weights = weight_files.tiny_weights()
    return [
        weight_files.ours(weights),
        weight_files.ours(networks.tiny_state(weights)),
        weight_files.ckpt({f"network.{name}": value for name, value in weights.items()}),
        *target_pth.good_files()[:2],
    ]


def sealed(damage: mutate.Mutation) -> mutate.Mutation:
    """Damage below the checksums."""

    def change(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
        if content[-TRAILER:].startswith(b"crc_num"):
            return weight_files.sealed(damage(chance, content[:-TRAILER], [seed[:-TRAILER] for seed in seeds]))
        return _in_archive(chance, content, lambda member: damage(chance, member, [member]))

    return change


def _in_archive(chance: Random, content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """One member of a zip archive is another."""
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
            chosen = chance.choice([old.namelist()[0], *old.namelist()])
            for name in old.namelist():
                new.writestr(name, change(old.read(name)) if name == chosen else old.read(name))
    except Exception:  # it was damaged before, and zipfile finds many words for that
        return content[: len(content) // 2]
    return made.getvalue()


def change_facts(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Other facts about the network, in a file of this zoo."""
    facts = json.loads(json.dumps(weight_files.META))
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.choice([facts, facts, facts["options"], facts["preprocessing"]])
        if isinstance(place, dict):
            place[chance.choice([*place, "other"])] = copy.deepcopy(chance.choice(VALUES))
        facts |= {name: {} for name in ("options", "preprocessing") if name not in facts}
    weights = weight_files.tiny_weights()
    for _ in range(chance.choice((0, 0, 1, 30))):
        weights.pop(chance.choice(list(weights)))
    return weight_files.ours(weights, **facts)


def change_shapes(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Arrays of other shapes and names, each with as many numbers as its shape has."""
    weights = weight_files.tiny_weights()
    for _ in range(chance.choice((1, 2, 10))):
        name = chance.choice(list(weights))
        value = weights.pop(name).ravel()
        size = value.size
        shape = chance.choice([(), (0,), (size,), (1, size), (size, 1, 1, 1), (1, 1, size)])
        name = chance.choice([name, name, f"{name}.0", name.replace("1", "999"), name.replace(".", "", 1), ""])
        weights[name] = np.resize(value, shape)
    if chance.random() < 0.5:
        return weight_files.ours(weights)
    return weight_files.ckpt(weights)


TARGET = Target(
    good_files,
    on_file("a.ckpt", networks.load),
    may_differ=lambda good, found: True,
    mutations=[*[sealed(damage) for damage in mutate.BYTES], *[change_facts, change_shapes] * 6],
)
