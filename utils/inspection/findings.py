"""What a look at a data folder can find, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

Level = Literal["problem", "note"]


class Kind(NamedTuple):
    """A kind of finding. A problem stops a training, is left out of it, or makes its figures wrong; a note does not."""

    level: Level
    title: str


# In the order in which they are told.
KINDS = {
    "unlisted": Kind("problem", "folders that cannot be listed"),
    "not_a_file": Kind("problem", "entries that are no files, or cannot be opened"),
    "empty": Kind("problem", "files that are empty, or hold zeros only"),
    "cut_off": Kind("problem", "images that are cut off"),
    "damaged": Kind("problem", "images that are damaged"),
    "unsupported": Kind("problem", "files of a kind that is not read"),
    "too_large": Kind("problem", "images that are too large"),
    "left_out": Kind("problem", "images that are left out, since their names do not end as an image's"),
    "loose": Kind("problem", "images that are left out, since they lie in no class folder"),
    "nested": Kind("problem", "folders inside a class folder"),
    "not_utf8_class": Kind("problem", "class folders whose names are not UTF-8"),
    "alike_classes": Kind("problem", "class folders whose names differ in spelling only"),
    "no_image": Kind("problem", "class folders without an image that can be read"),
    "not_in_train": Kind("problem", "classes that train lacks"),
    "only_in_train": Kind("problem", "classes that only train has"),
    "two_splits": Kind("problem", "images that are in two splits"),
    "two_classes": Kind("problem", "images that are in two classes"),
    "twice": Kind("note", "images that are twice in a class"),
    "alike_splits": Kind("note", "class folders that are one class, in another Unicode normalisation"),
    "alike_files": Kind("note", "files whose names differ in spelling only"),
    "not_utf8": Kind("note", "files whose names are not UTF-8"),
    "control": Kind("note", "names with control characters"),
    "long": Kind("note", "paths of more than 255 characters"),
    "one_image": Kind("note", "class folders with one image"),
    "imbalance": Kind("note", "splits whose largest class has ten times the images of the smallest, or more"),
    "orientation": Kind("note", "images that a camera marked as turned (--orientation exif turns them)"),
    "other_suffix": Kind("note", "images whose content is of another kind than their names say; they are read"),
    "hidden": Kind("note", "entries that are hidden, or a system's; they are left alone"),
    "others": Kind("note", "files that are no images; they are left alone"),
}


class Entry(NamedTuple):
    """One finding: the name of what it is about, "FOLDER/class/file", and what there is to say."""

    name: str
    detail: str


class Findings:
    """What was found, by kind."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {kind: [] for kind in KINDS}

    def add(self, kind: str, name: str, detail: str = "") -> None:
        self._entries[kind].append(Entry(name, detail))

    def of(self, kind: str) -> list[Entry]:
        return self._entries[kind]

    def found(self) -> Iterator[tuple[str, list[Entry]]]:
        """Kinds of which something was found, with what."""
        return ((kind, entries) for kind, entries in self._entries.items() if entries)

    @property
    def problems(self) -> int:
        """How many findings are problems."""
        return sum(len(entries) for kind, entries in self.found() if KINDS[kind].level == "problem")
