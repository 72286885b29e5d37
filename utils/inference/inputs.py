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
from mindzoo.utils.images.fault import Fault

STANDARD_INPUT = "-"
IMAGE, FOLDER, PATTERN = "is missing", "holds no images", "matches no image"  # what each lacks
NOUNS = {IMAGE: "image", FOLDER: "folder", PATTERN: "pattern"}


@dataclass(frozen=True)
class Given:
    """An image, or a word that means none."""

    name: str  # its path, or STANDARD_INPUT
    content: bytes | None = None  # None: what its file holds
    lack: str = ""  # of a word that means no image: IMAGE, FOLDER or PATTERN

    def read(self) -> bytes:
        """The content of its file.

        Raises:
            Fault: it cannot be read.
        """
        if self.lack:
            raise Fault(self.lack)
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
        found += _on_standard_input() if word == STANDARD_INPUT else _files(word)
    return _with_an_image(found)


def image_files(given: Iterable[str]) -> list[Given]:
    """The files given, the images of the folders given, at any depth, and those that patterns such as `photos/*.jpg` match.

    What is there under its name is no pattern. A file that is missing, a folder without images and a pattern that matches none keep their
    places, so that they can be named beside the others.

    Raises:
        UserError: nothing given, or no image among it.
    """
    return _with_an_image([image for name in _some(given) for image in _files(name)])


def _with_an_image(found: list[Given]) -> list[Given]:
    if all(one.lack for one in found):
        raise UserError(f"the {NOUNS[found[0].lack]} {found[0].name} {found[0].lack}")
    return found


def _some(given: Iterable[str]) -> list[str]:
    words = list(given)
    if not words:
        raise UserError("no image given; wanted image files, or folders of them, behind the network's name")
    return words


def _files(name: str) -> list[Given]:
    is_pattern = glob.has_magic(name) and not os.path.lexists(name)
    return [Given(str(path)) for path in _matched(name)] or [Given(name, lack=PATTERN)] if is_pattern else _plain(name)


def _plain(name: str) -> list[Given]:
    path = Path(name)
    if path.is_dir():
        return [Given(str(path / image)) for image in images_below(path)] or [Given(str(path), lack=FOLDER)]
    return [Given(str(path), lack="" if os.path.lexists(path) else IMAGE)]


def _matched(pattern: str) -> Iterator[Path]:
    """Files that a pattern matches, in the order of their names, and the images of folders; `**` goes through folders itself."""
    own = {*Path(pattern).parts}
    matches = [
        match
        for match in glob.glob(pattern, recursive=True)  # noqa: PTH207 - that of pathlib takes no absolute pattern
        if not any(is_hidden(part) for part in {*Path(match).parts} - own)
    ]
    for path in map(Path, by_bytes(matches)):
        if not path.is_dir():
            yield from [path] if is_image_name(path.name) else []
        elif "**" not in own:
            yield from (path / name for name in images_below(path))


def _on_standard_input() -> list[Given]:
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(
            "- means standard input, and nothing is piped into it; wanted: find photos -name '*.jpg' | ... -"
        )
    content = sys.stdin.buffer.read()
    if kinds.kind_of(content):
        return [Given(STANDARD_INPUT, content)]
    return [image for name in _listed(content) for image in _plain(name)]


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
