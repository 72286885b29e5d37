"""A file with names of images to leave out, one a line: the data folder's own name, the class folder, the file.

The folder's name keeps train and val apart. An entry without it, `class/file.jpg`, is meant in every folder. A name that a
line cannot hold is written as a JSON text, in double quotes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.data.listing import composed
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import write_text

MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class SkipList:
    """The names in a file; in `composed` form, so that a list from one system is good on another."""

    path: Path
    names: frozenset[str]

    def holds(self, folder: str, name: str) -> bool:
        """Whether the image `name`, "class/file.jpg" in a data folder that is called so, is to be left out."""
        name = composed(name)
        return name in self.names or f"{composed(folder)}/{name}" in self.names


def read(path: Path, what: str = "skip_list") -> SkipList:
    """The names in the file.

    Args:
        what: the file is called in errors.

    Raises:
        UserError: it cannot be read, or a line is no name of an image.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{what} is {path}, which is too large for a list of names: is it another file?")
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UserError(f"cannot read {what} {path}: {error.strerror}") from None
    names = set()
    for number, line in enumerate(text.split("\n"), 1):
        name = _unquoted(line.strip("\r"))
        if not name.strip():
            continue
        if name.startswith("/") or "/" not in name:
            raise UserError(
                f"line {number} of {what} {path} is {name[:80]}; wanted FOLDER/class/file or class/file, as "
                "mindzoo check-data writes it"
            )
        names.add(composed(name))
    return SkipList(path, frozenset(names))


def write(path: Path, names: Iterable[str]) -> None:
    """Write names, "FOLDER/class/file.jpg", in the order given.

    Raises:
        UserError: the file cannot be written.
    """
    write_text(path, "".join(f"{_quoted(name)}\n" for name in names))


def _quoted(name: str) -> str:
    plain = name.isprintable() or all(0xDC80 <= ord(c) <= 0xDCFF or c.isprintable() for c in name)
    return name if plain and not name.startswith('"') and name == name.strip() else json.dumps(name)


def _unquoted(line: str) -> str:
    if not line.startswith('"'):
        return line
    try:
        found = json.loads(line)
    except ValueError:
        return line
    return found if isinstance(found, str) else line
