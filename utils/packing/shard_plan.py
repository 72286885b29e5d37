"""Which images make which shard, and how an earlier run's shard is known for the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from mindzoo.utils.data import pack_files
from mindzoo.utils.data.class_folders import ClassFolders


@dataclass(frozen=True)
class ShardPlan:
    """The images `first` to `end` - 1 of class folders become shard `number`."""

    number: int
    first: int
    end: int
    largest: int  # bytes of the largest image
    fingerprint: (
        str  # of the names, sizes and times of the files: also that of the last change, which no program can set
    )


def plan_shards(folders: ClassFolders, target: int) -> Iterator[ShardPlan]:
    """Shards of about `target` bytes, each with at least one image, in the order of the images."""
    number = first = largest = total = 0
    marks: list[tuple[str, str]] = []
    for place, name in enumerate(folders.files):
        size, mark = _size_and_mark(f"{folders.root}/{name}")
        largest, total = max(largest, size), total + size
        marks.append((name, mark))
        if total < target and place + 1 < len(folders):
            continue
        text = json.dumps([pack_files.VERSION, target, [*folders.class_index], marks])
        digest = hashlib.sha256(text.encode()).hexdigest()
        yield ShardPlan(number, first, place + 1, largest, digest)
        number, first, largest, total, marks = number + 1, place + 1, 0, 0, []


def _size_and_mark(path: str) -> tuple[int, str]:
    """The bytes of a file, and what changes when it is written anew; what cannot be looked at is found when it is read."""
    try:
        status = os.stat(path)  # noqa: PTH116 - to make a Path of it takes longer than the look
    except OSError:
        return 1, ""
    return status.st_size, f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
