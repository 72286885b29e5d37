"""What lies in a folder of images: one rule for names, suffixes, hidden entries and links, for every command."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils.errors import UserError

# What is taken for an image by its name; what it is, its content says.
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif")
# Names that systems and programs leave among people's files, in lower case.
SYSTEM = frozenset(
    (
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "@eadir",
        "$recycle.bin",
        "lost+found",
        "system volume information",
    )
)
# The folders of a data set's root by what they are for, in the order in which they are looked for.
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
TOO_LONG = 4096  # bytes of a path, in Linux
PACK_INDEX = "mindzoo_pack.json"  # written last: a folder with it is a whole pack


@dataclass(frozen=True)
class Listed:
    """The entries of a class folder, each list in the order of its names' bytes."""

    images: list[str]
    left_out: list[str]  # files whose suffix is none of an image
    hidden: list[str]  # hidden ones, and those of systems
    not_files: list[str]  # named like images: links that lead nowhere, pipes, sockets, devices
    folders: list[str]


def is_hidden(name: str) -> bool:
    """Whether an entry is none of the user's data: hidden, or left by a system."""
    return name.startswith(".") or name.lower() in SYSTEM


def composed(name: str) -> str:
    """The same text for names that are one in Unicode: normalisation NFC. macOS writes others than Linux."""
    return unicodedata.normalize("NFC", name)


def is_utf8(name: str) -> bool:
    """Whether the bytes of a name or a path are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def absolute(path: Path) -> Path:
    """The whole path, of "." too; links stay what they are called."""
    return Path(os.path.normpath(path.absolute()))


def folder_name(root: Path) -> str:
    """What a folder is called, also one that is given as "." or ".."."""
    return absolute(root).name


def is_image_name(name: str) -> bool:
    """Whether a name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def by_bytes(names: Sequence[str]) -> list[str]:
    """Names in the order of their bytes, which is that of MindSpore; names need not be UTF-8."""
    return sorted(names, key=os.fsencode)


def list_class(folder: Path) -> Listed:
    """The entries of one class folder.

    Raises:
        OSError: it cannot be listed.
    """
    with os.scandir(folder) as entries:
        kinds = {entry.name: _kind(entry) for entry in entries}
    listed = Listed([], [], [], [], [])
    for name in by_bytes([*kinds]):
        if is_hidden(name):
            listed.hidden.append(name)
        elif kinds[name] == "folder":
            listed.folders.append(name)
        elif not is_image_name(name):
            listed.left_out.append(name)
        else:
            (listed.images if kinds[name] == "file" else listed.not_files).append(name)
    return listed


def class_names(root: Path) -> list[str]:
    """Names of the folders in `root`, in the order of their bytes, without the hidden ones."""
    with os.scandir(root) as entries:
        return by_bytes([entry.name for entry in entries if _kind(entry) == "folder" and not is_hidden(entry.name)])


def is_pack(folder: Path) -> bool:
    """Whether a folder is a data set that `mindzoo pack` wrote."""
    return (folder / PACK_INDEX).is_file()


def split_folders(root: Path) -> dict[str, Path]:
    """The folders train, val and test of a root that holds these and no others, in one of their spellings; else {}.

    Without the first one, or with images where its class folders should be, these are names of classes.
    """
    names = class_names(root)
    found = {
        split: root / next(name for name in spellings if name in names)
        for split, spellings in SPLITS.items()
        if any(name in names for name in spellings)
    }
    if len(found) != len(names) or len(names) < 2 or "train" not in found:
        return {}
    return found if is_pack(found["train"]) or class_names(found["train"]) else {}


def images_below(root: Path) -> Iterator[str]:
    """The images below `root` at any depth, as "class/name.png", sorted folder by folder; hidden ones are left out.

    Raises:
        UserError: a folder cannot be listed, or is a pack.
    """
    if is_pack(root):
        raise UserError(f"{root} is a pack, which train and eval read; give the folder that its images lie in")
    yield from _images_in(root, "", ())


def not_a_file(path: Path) -> str:
    """Why a path is none of a regular file, as the end of a sentence; "" where it is one.

    Opening a pipe would wait for ever.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        is_link = os.path.islink(path)  # noqa: PTH114 - that of pathlib raises for a name too long
        link = " (a link that leads nowhere)" if is_link else ""
        return f"cannot be opened: {error.strerror}{link}"
    return other_kind(mode)


def other_kind(mode: int) -> str:
    """What an entry of this mode is, as the end of a sentence; "" for a regular file."""
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is no file, but a pipe, a socket or a device"


def _images_in(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Links to folders are followed, but not into a folder that is being listed: that would never end."""
    try:
        about, listed = folder.stat(), list_class(folder)
    except OSError as error:
        raise UserError(f"cannot list {folder}: {error.strerror}") from None
    if (about.st_dev, about.st_ino) in above:
        return
    inside = (*above, (about.st_dev, about.st_ino))
    folders = set(listed.folders)
    for name in by_bytes([*listed.folders, *listed.images, *listed.not_files]):
        if name in folders:
            yield from _images_in(folder / name, f"{prefix}{name}/", inside)
        else:
            yield prefix + name


def _kind(entry: os.DirEntry[str]) -> str:
    """ "folder", "file" or "other"; a link is what it leads to, and one to itself leads nowhere."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:
        return "other"
