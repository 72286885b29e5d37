"""The images that were asked for: files, folders, patterns, and what comes on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.data.image_file import read_file
from mindzoo.utils.data.listing import by_bytes, images_below, is_hidden, is_image_name
from mindzoo.utils.errors import UserError
from mindzoo.utils.images import kinds

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Given:
    """An image."""

    name: str  # its path, or STANDARD_INPUT
    content: bytes | None = None  # None: what its file holds

    def read(self) -> bytes:
        """The content of its file.

        Raises:
            Fault: it cannot be read.
        """
        return read_file(self.name) if self.content is None else self.content


def given_images(given: Iterable[str]) -> list[Given]:
    """The images that the words of a command line mean, in their order: `image_files`, and STANDARD_INPUT.

    Standard input is an image, if its bytes begin as those of one, or else a list of files and folders, one a line or with a byte of
    zero behind each (`find -print0`). It is read once.

    Raises:
        UserError: see `image_files`; nothing comes on standard input.
    """
    words = _some(given)
    if words.count(STANDARD_INPUT) > 1:
        raise UserError("standard input (-) is given twice; wanted it once: it can be read once only")
    found: list[Given] = []
    for word in words:
        if word == STANDARD_INPUT:
            found += _on_standard_input()
        else:
            found += [Given(str(path)) for path in _files(word)]
    return found


def image_files(given: Iterable[str]) -> Iterator[Path]:
    """The files given, the images of the folders given, at any depth, and those that patterns such as `photos/*.jpg` match.

    What is there under its name is no pattern.

    Raises:
        UserError: nothing given, something missing, a folder without images, or a pattern that matches none.
    """
    for name in _some(given):
        yield from _files(name)


def _some(given: Iterable[str]) -> list[str]:
    words = list(given)
    if not words:
        raise UserError("no image given; wanted image files, or folders of them, behind the network's name")
    return words


def _files(name: str) -> Iterator[Path]:
    is_pattern = glob.has_magic(name) and not os.path.lexists(name)
    return _matched(name) if is_pattern else _plain(name)


def _plain(name: str) -> Iterator[Path]:
    path = Path(name)
    if path.is_dir():
        found = [path / name for name in images_below(path)]
        if not found:
            raise UserError(f"the folder {path} holds no images")
        yield from found
    elif os.path.lexists(path):
        yield path
    else:
        raise UserError(f"the image {path} is missing")


def _matched(pattern: str) -> Iterator[Path]:
    """Files that a pattern matches, in the order of their names, and the images of folders; `**` goes through folders itself."""
    own = {*Path(pattern).parts}
    matches = [
        match
        for match in glob.glob(pattern, recursive=True)  # noqa: PTH207 - that of pathlib takes no absolute pattern
        if not any(is_hidden(part) for part in {*Path(match).parts} - own)
    ]
    found = False
    for path in map(Path, by_bytes(matches)):
        if path.is_dir():
            inside = [] if "**" in own else [path / name for name in images_below(path)]
        else:
            inside = [path] if is_image_name(path.name) else []
        found = found or bool(inside)
        yield from inside
    if not found:
        raise UserError(f"the pattern {pattern} matches no image")


def _on_standard_input() -> list[Given]:
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(
            "- means standard input, and nothing is piped into it; wanted: find photos -name '*.jpg' | ... -"
        )
    content = sys.stdin.buffer.read()
    if kinds.kind_of(content):
        return [Given(STANDARD_INPUT, content)]
    return [Given(str(path)) for name in _listed(content) for path in _plain(name)]


def _listed(content: bytes) -> list[str]:
    """The names of a list."""
    if not content.strip():
        raise UserError(
            "standard input is empty, as it is for the ranks of a launcher; wanted an image, or a list of files, one a line"
        )
    begins_as = kinds.described(content)
    if not begins_as.startswith("is no image"):  # a web page, a film, an archive
        raise UserError(f"standard input {begins_as}; or give a list of files, one a line")
    ends = b"\0" if b"\0" in content else b"\n"
    names = [line.removesuffix(b"\r") if ends == b"\n" else line for line in content.split(ends)]
    return [os.fsdecode(name) for name in names if name]
