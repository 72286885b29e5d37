"""Which files the objects of a bucket become: whoever named them, they stay inside the folder of the copy."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mindzoo.utils.config.values import LONGEST_NAME, LONGEST_PATH
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.files import is_inside, resolved
from mindzoo.utils.log import logger

MARKER = ".mindzoo-copy"
CLAIM = ".mindzoo-upload"
COPYING = ".copying"
# What mindzoo calls files and folders of its own inside a copy; some file systems do not tell capitals apart.
OWN = re.compile(r"\.mindzoo-(copy|upload)|\.copying|\.unpacked|\.[0-9a-f]{16}\.part", re.IGNORECASE)
MOST_FOLDERS = 50  # in each other; what goes through them may do so by recursion
WANTED = "rename it, or give the URL of a folder without it"


def part_of(path: Path) -> Path:
    """Where `path` is written until it is complete: a short name, the same one in every process."""
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.part")


def names_to_copy(url: str, names: Iterable[str]) -> list[str]:
    """The names of objects below `url` that are copied; those that mindzoo gives to files of its own are left out.

    Raises:
        UserError: see `check_names`.
    """
    own: list[str] = []
    wanted: list[str] = []
    for name in check_names(url, names):
        (own if any(map(OWN.fullmatch, name.split("/"))) else wanted).append(name)
    if own:
        logger.info("left out of %s, since mindzoo calls files of its own like that: %s", url, shorten(own, 3))
    return wanted


def check_names(url: str, names: Iterable[str]) -> list[str]:
    """The names of objects below `url`.

    Raises:
        UserError: one of them would be written elsewhere, or is no name of a file.
    """
    listed = list(names)
    for name in listed:
        if fault := fault_of(name):
            raise UserError(f"{url} holds an object whose name {fault}: {name}; {WANTED}")
    return listed


def fault_of(name: str) -> str:
    """What makes `name` none that may be written below a folder, as the end of a sentence; empty where it may be."""
    parts = name.split("/")
    if not parts[0]:
        return "is that of a path from the root"
    if ".." in parts:
        return "has .. in it"
    if "" in parts or "." in parts:
        return "has an empty part, or a dot for one"
    if "\0" in name or "\\" in name:
        return "holds a backslash or a zero byte"
    if len(parts) > MOST_FOLDERS:
        return f"leads through more than {MOST_FOLDERS} folders"
    try:
        lengths = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError:
        return "is no Unicode text"
    if max(lengths) > LONGEST_NAME or sum(lengths) + len(parts) > LONGEST_PATH:
        return "is longer than that of a file may be"
    return ""


class Inside:
    """The paths below a folder; what is there may be links, and none of them leads out of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, resolved(folder)
        self._folders: set[Path] = set()  # that were looked at

    def path(self, name: str) -> Path:
        """The file that is called `name` below the folder.

        Raises:
            UserError: a link leads out of the folder.
        """
        path = self.folder / name
        if path.parent not in self._folders:
            if not is_inside(path.parent, self.root):
                raise UserError(
                    f"{path} lies behind a link that leads out of {self.folder}; remove the link, or choose another folder"
                )
            self._folders.add(path.parent)
        return path
