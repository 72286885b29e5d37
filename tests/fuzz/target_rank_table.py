"""Rank tables, as launchers and `merge_hccl` read them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from mindzoo.tests.fuzz.mutate import BYTES
from mindzoo.tests.fuzz.target import Target, on_file
from mindzoo.tests.support.rank_tables import table
from mindzoo.utils.cluster import hccl_tools, rank_table
from mindzoo.utils.errors import LONGEST_LINE, UserError

VALUES = (
    "null", "true", "[]", "{}", '""', '"0"', "0", "-1", "1.5", "1e999", "NaN", "9" * 5000, '"' + "9" * 5000 + '"', "[" * 900,
    '"\\ud800"', '"\\u0000\\u001b[31m"', '"::1%x"', '"1.2"', '{"a": 1, "a": 2}', '"completed"', '[{"rank_id": 0}]',
)  # fmt: skip


def seeds() -> list[bytes]:
    plain = table("10.0.0.5", "10.0.0.6")
    numbers = [{"device_id": number, "rank_id": number} for number in range(3)]
    pod = table("node_0", "node_1", count=1)
    for number, server in enumerate(pod["server_list"]):
        server["host_ip"] = f"10.0.0.{number}"
    tables = (plain, {"server_list": [{"server_id": "10.0.0.5", "device": numbers}]}, {**pod, "version": "1.2"})
    return [json.dumps(content, indent=indent).encode() for content, indent in zip(tables, (2, None, 4), strict=True)]


def read(path: Path) -> object:
    """The ranks, and the table that the tool makes of the file."""
    try:
        return rank_table.read_table(path), hccl_tools.merge([path])
    except UserError as error:
        # Faults are listed below the sentence, a line each.
        first, *listed = str(error).split("\n")
        if len(listed) > rank_table.MOST_FAULTS + 1 or any(len(line) > LONGEST_LINE + 2 for line in listed):
            raise
        raise UserError(first) from None


def value(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One of the values becomes another, or something else."""
    places = list(re.finditer(rb'(?<=: )("[^"]*"|\d+)', content))
    if not places:
        return content
    one = chance.choice(places)
    return content[: one.start()] + chance.choice(VALUES).encode() + content[one.end() :]


def unseen(good: object, found: object) -> bool:
    """A table has no checksum."""
    return True


TARGET = Target(seeds, on_file("table.json", read), unseen, (*BYTES, value, value, value))
