"""The files of a pack: what its index and the tables of its shards say, and the bytes that lie in the shards.

A pack is a folder with shards `00000.mindrecord`, …, each with MindRecord's own index (`.db`), which MindSpore needs, and a
table (`.json`), which says where in the shard each image lies; and `mindzoo_pack.json`, the index of all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.data.listing import PACK_INDEX, SPLITS, is_utf8
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault

FORMAT, VERSION = "mindzoo pack", 1
DIGEST = "sha256"  # of all else in the index
SHARD, RECORDS_INDEX, TABLE = ".mindrecord", ".mindrecord.db", ".json"  # what the names of a shard's files end in
MOST_BYTES = 1 << 28  # of an index or a table
MOST_OPEN = 512  # shards; a process may open 1,024 files on most systems
AGAIN = "copy the pack again, or make it again with mindzoo pack"


@dataclass(frozen=True)
class ShardFacts:
    """A shard, as the index has it; the digests are SHA-256 in hexadecimal."""

    number: int
    images: int
    bytes: int
    sha256: str  # of the shard
    index_sha256: str  # of MindRecord's index
    table_sha256: str

    def path(self, root: Path, suffix: str) -> Path:
        """One of the shard's files."""
        return root / shard_file(self.number, suffix)


@dataclass(frozen=True)
class PackIndex:
    """What `mindzoo_pack.json` says."""

    folder: str  # what the folder of the images was called
    classes: tuple[str, ...]
    images: int
    shards: tuple[ShardFacts, ...]
    left_out: dict[str, str]  # images that were not packed, and why
    splits: tuple[str, ...] = ()  # those that were packed together, this one among them; none where it was packed alone

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        shards = [dict(vars(shard)) for shard in self.shards]
        lists = {"classes": list(self.classes), "shards": shards, "splits": list(self.splits)}
        content = {"format": FORMAT, "version": VERSION, **vars(self), **lists}
        return {**content, DIGEST: digest(content)}


def shard_file(number: int, suffix: str) -> str:
    """The name of a file of the shard with this number, from 0."""
    return f"{number:05d}{suffix}"


def digest(content: dict[str, Any]) -> str:
    """SHA-256 of what an index says, in hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_index(root: Path) -> PackIndex:
    """The index of the pack `root`.

    Raises:
        UserError: it cannot be read, or is not what `mindzoo pack` writes.
    """
    path = root / PACK_INDEX
    content = read_json(path, "index of a pack", AGAIN, most=MOST_BYTES, errors="surrogateescape")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is no index of a pack; {AGAIN}")
    version = content.get("version")
    if version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        remedy = "update mindzoo, or make the pack again with this one" if is_newer else AGAIN
        raise UserError(f"{path} is of version {version!r:.20} of packs, and this mindzoo reads {VERSION}; {remedy}")
    if content.pop(DIGEST, None) != digest(content):
        raise _damaged(path)
    try:
        shards = tuple(ShardFacts(**shard) for shard in content["shards"])
        folder, classes, images, left_out = (content[name] for name in ("folder", "classes", "images", "left_out"))
        # The first packs did not say with which others they were packed.
        found = PackIndex(folder, tuple(classes), images, shards, left_out, tuple(content.get("splits", ())))
    except (KeyError, TypeError):
        raise _damaged(path) from None
    if not _is_index(found):
        raise _damaged(path)
    return found


def read_table(root: Path, shard: ShardFacts) -> list[tuple[str, int, int]]:
    """The images of a shard, in their order: name, "class/file", and place and number of its bytes.

    Raises:
        UserError: the table cannot be read, or does not fit the shard.
    """
    path = shard.path(root, TABLE)
    content = read_json(path, "table of a shard", AGAIN, most=MOST_BYTES, errors="surrogateescape")
    rows = content.get("images") if isinstance(content, dict) else None
    if hashlib.sha256(path.read_bytes()).hexdigest() != shard.table_sha256:
        raise _damaged(path)
    if not isinstance(rows, list) or len(rows) != shard.images or not all(_is_row(row, shard.bytes) for row in rows):
        raise _damaged(path)
    return [(name, offset, size) for name, offset, size in rows]


class Shards:
    """The bytes of images in shards. Threads may share it."""

    def __init__(self, root: Path, facts: Sequence[ShardFacts]) -> None:
        self.paths = [shard.path(root, SHARD) for shard in facts]
        self.sizes = [shard.bytes for shard in facts]
        self._open: dict[int, int] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._open)

    def __deepcopy__(self, memo: dict[int, object]) -> Shards:
        """Itself: the files that are open are one."""
        return self

    def check(self) -> None:
        """Refuse shards that are not there, or of another size than they were written with.

        Raises:
            UserError: names the first.
        """
        for path, wanted in zip(self.paths, self.sizes, strict=True):
            try:
                size = path.stat().st_size
            except OSError as error:
                raise UserError(f"cannot read the shard {path}: {error.strerror}; {AGAIN}") from None
            if size != wanted:
                raise UserError(f"the shard {path} has {size:,} bytes; wanted {wanted:,}: {AGAIN}")

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """So many bytes from there on.

        Raises:
            Fault: they cannot be read.
        """
        try:
            handle, is_kept = self._handle(shard)
            try:
                content = os.pread(handle, size, offset)
            finally:
                if not is_kept:
                    os.close(handle)
        except OSError as error:
            raise Fault(f"cannot be read from the shard {self.paths[shard]}: {error.strerror}") from None
        if len(content) != size:
            raise Fault(f"is cut off: the shard {self.paths[shard]} ends before it")
        return content

    def _handle(self, shard: int) -> tuple[int, bool]:
        """An open file, and whether it stays open; so do the first ones that are read."""
        with self._lock:
            if shard in self._open:
                return self._open[shard], True
            handle = os.open(self.paths[shard], os.O_RDONLY)
            is_kept = len(self._open) < MOST_OPEN
            if is_kept:
                self._open[shard] = handle
            return handle, is_kept


def _close(handles: dict[int, int]) -> None:
    for handle in handles.values():
        os.close(handle)


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged, or was changed; {AGAIN}")


def _is_index(found: PackIndex) -> bool:
    names = (found.folder, *found.classes)
    return (
        all(isinstance(name, str) and name not in ("", ".", "..") and "/" not in name for name in names)
        and all(map(is_utf8, found.classes))
        and len({*found.classes}) == len(found.classes) > 0
        and isinstance(found.left_out, dict)
        and all(isinstance(reason, str) for reason in found.left_out.values())
        and all(isinstance(split, str) and split in SPLITS for split in found.splits)
        and all(_is_facts(shard) for shard in found.shards)
        and len({shard.number for shard in found.shards}) == len(found.shards)
        and found.images == sum(shard.images for shard in found.shards)
    )


def _is_facts(shard: ShardFacts) -> bool:
    counts, digests = (shard.number, shard.images, shard.bytes), (shard.sha256, shard.index_sha256, shard.table_sha256)
    return all(type(count) is int and count >= 0 for count in counts) and all(isinstance(one, str) for one in digests)


def _is_row(row: Any, most: int) -> bool:
    if not isinstance(row, list) or [type(value) for value in row] != [str, int, int]:
        return False
    name, offset, size = row
    return name.count("/") == 1 and offset >= 0 and size > 0 and offset + size <= most
