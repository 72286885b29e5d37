"""The images of vectors: a line of JSON for each row, which names a file below the folder of images."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import is_special, json_line

NAMES = ("path", "folder")
LONGEST = 100_000  # characters of a line


def read_rows(
    path: Path, wanted: Collection[int] | None = None, names: Sequence[str] = NAMES
) -> Iterator[dict[str, str]]:
    """The objects of a file of JSON lines; those of the lines `wanted`, from 0, in the order of the file.

    Args:
        names: what each object has, and each of it is a text.

    Raises:
        UserError: the file cannot be read, or a line is something else.
    """
    check_is_file(path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for number, line in enumerate(_lines(file)):
                if wanted is None or number in wanted:
                    yield _row(path, number, line, names)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def line_of(content: Any) -> bytes:
    """A JSON line; names that are no UTF-8 keep their bytes."""
    return json_line(content).encode("utf-8", "surrogateescape")


def check_count(path: Path, wanted: int) -> None:
    """Refuse a file with another number of lines than there are rows: every name behind would be that of another row.

    Raises:
        UserError: says both numbers, or that the file cannot be read.
    """
    check_is_file(path)
    try:
        with open(path, "rb") as file:
            found = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if found != wanted:
        raise UserError(f"{path} is damaged: it has {found:,} lines for {wanted:,} vectors; embed the images again")


def check_is_file(path: Path) -> None:
    """Refuse a pipe or a device, which would be waited for.

    Raises:
        UserError: it is one.
    """
    if is_special(path):
        raise UserError(f"{path} is no file, but a pipe or a device; embed the images again")


def check_root(root: str) -> None:
    """Refuse a folder of images that is none; one that is not given is not looked at.

    Raises:
        UserError: says whether it is missing.
    """
    if root and not Path(root).is_dir():
        found_there = "not a folder" if Path(root).exists() else "missing"
        raise UserError(f"images_root is {root}, which is {found_there}; wanted the folder of images")


def leads_out(name: str) -> bool:
    """Whether a path is none that stays below the folder it is seen from; links are not looked at."""
    return not may_be_path(name) or name.startswith("/") or ".." in name.split("/")


def may_be_path(name: str) -> bool:
    """Whether a file system takes the text."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _lines(file: IO[str]) -> Iterator[str]:
    """A line too long is as long as may be and one character more."""
    while line := file.readline(LONGEST + 1):
        yield line


def _row(path: Path, number: int, line: str, names: Sequence[str]) -> dict[str, str]:
    try:
        if len(line) > LONGEST:
            raise ValueError(f"has more than {LONGEST:,} characters")
        row = parse_json(line)
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in names):
            raise ValueError(f"lacks {' or '.join(names)}")
    except ValueError as error:
        raise UserError(f"{path} is damaged: line {number + 1:,} {error}; embed the images again") from None
    return {name: row[name] for name in names}
