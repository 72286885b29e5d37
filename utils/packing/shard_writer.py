"""One shard: MindRecord's two files, and the places of the images in it, each of which was read back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindspore.mindrecord import FileWriter

from mindzoo.utils.data.look import hashed
from mindzoo.utils.data.pack_files import RECORDS_INDEX, SHARD, shard_file
from mindzoo.utils.errors import UserError

# By MindSpore's `FileWriter`: of the header, and least and most of a page, which holds whole images.
HEADER, SMALLEST_PAGE, LARGEST_PAGE = 1 << 19, 1 << 16, 1 << 28
MOST_PAGES = 256  # of a shard that is not too large, whose list has room in the header
LENGTH = 8  # bytes before each image, which say how long it is
MOST_IMAGE = LARGEST_PAGE - LENGTH
SCHEMA = {"file": {"type": "string"}, "label": {"type": "int32"}, "image": {"type": "bytes"}}
AT_ONCE, BYTES_AT_ONCE = 64, 1 << 24  # most rows that are handed over together, and bytes that are enough


@dataclass(frozen=True)
class Row:
    """An image that is packed."""

    name: str  # "class/file"
    label: int
    content: bytes


def page_size(largest: int, target: int) -> int:
    """Bytes of a page, a power of two, for images of up to `largest` bytes and shards of `target` bytes."""
    needed = max(largest + LENGTH, target // MOST_PAGES, SMALLEST_PAGE)
    return min(1 << (needed - 1).bit_length(), LARGEST_PAGE)


def write_shard(folder: Path, number: int, rows: Iterable[Row], page: int) -> list[tuple[str, int, int]]:
    """Write the files of a shard into `folder`, which has a path that MindSpore takes; the same rows give the same bytes.

    Returns:
        Of each image its name, and place and number of its bytes in the shard.

    Raises:
        UserError: the files cannot be written, or do not hold what was written.
    """
    path = folder / shard_file(number, SHARD)
    written: list[tuple[str, bytes]] = []
    try:
        writer = FileWriter(str(path), shard_num=1, overwrite=True)
        writer.set_header_size(HEADER)
        writer.set_page_size(page)
        writer.add_schema(SCHEMA, "images of class folders")
        writer.add_index(["label"])
        for block in _blocks(rows, written):
            writer.write_raw_data(block)
        writer.commit()
    except RuntimeError as error:
        free = shutil.disk_usage(folder).free >> 20
        raise UserError(
            f"cannot write the shard {path}: {free} MB are free there, and MindSpore wants some more than the shard has; "
            "make room, and the same command goes on"
        ) from error
    return _found(path, folder / shard_file(number, RECORDS_INDEX), page, written)


def _blocks(rows: Iterable[Row], written: list[tuple[str, bytes]]) -> Iterator[list[dict[str, Any]]]:
    """Rows as MindRecord takes them, some at a time; the name and the digest of each is added to `written`."""
    block: list[dict[str, Any]] = []
    held = 0
    for row in rows:
        written.append((row.name, hashed(row.content)))
        # Its texts are UTF-8; the table has the name as it is.
        name = row.name.encode("utf-8", "backslashreplace").decode()
        block.append({"file": name, "label": row.label, "image": row.content})
        held += len(row.content)
        if len(block) == AT_ONCE or held >= BYTES_AT_ONCE:
            yield block
            block, held = [], 0
    if block:
        yield block


def _found(path: Path, index: Path, page: int, written: list[tuple[str, bytes]]) -> list[tuple[str, int, int]]:
    """Where each image lies, by MindRecord's index, and by a look at what lies there."""
    query = "SELECT PAGE_ID_BLOB, PAGE_OFFSET_BLOB, PAGE_OFFSET_BLOB_END FROM INDEXES ORDER BY ROW_ID"
    with closing(sqlite3.connect(index)) as records:
        spots = records.execute(query).fetchall()
    table = []
    with open(path, "rb") as file:
        for (name, digest), (number, begin, end) in zip(written, spots, strict=True):
            offset = HEADER + number * page + begin + LENGTH
            file.seek(offset)
            if hashed(file.read(end - begin - LENGTH)) != digest:
                raise UserError(f"the shard {path} does not hold {name} as it was written; is the disk sound?")
            table.append((name, offset, end - begin - LENGTH))
    return table
