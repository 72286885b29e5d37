"""Class folders: one folder per class, images inside. What is wrong with them is said before anything is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger

# What mindspore.dataset.vision.Decode reads; it refuses WebP and GIF.
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
BRING_BACK = "put the images back, or go on with those that are there, with --resume auto"
UNREADABLE_SUFFIXES = (".webp", ".gif", ".heic", ".avif")


@dataclass(frozen=True)
class ClassFolders:
    """The images below `root`: `files[i]` is of class `labels[i]`, sorted by class folder, then by file name."""

    root: Path
    classes: tuple[str, ...]  # all classes of the data set, by label; a validation folder may lack some
    files: tuple[str, ...]  # "class/name.png"
    labels: np.ndarray  # int32, as long as files
    changed_at: dict[str, int] = field(default_factory=dict)  # nanoseconds at which a class folder was changed last

    def __len__(self) -> int:
        return len(self.files)

    @property
    def suffixes(self) -> list[str]:
        """The suffixes that occur, exactly as spelled."""
        return sorted({os.path.splitext(name)[1] for name in self.files})

    @property
    def class_index(self) -> dict[str, int]:
        """Label by name of each class folder that is there."""
        return {self.classes[label]: int(label) for label in np.unique(self.labels)}

    def check_unchanged(self) -> None:
        """Refuse to read files of which some came or went: MindSpore numbers those it finds anew for each pass.

        Costs one look at each class folder, and a list of those that something happened to.

        Raises:
            UserError: names the first file, or the folder that is gone.
        """
        for name, before in self.changed_at.items():
            try:
                now = (self.root / name).stat().st_mtime_ns
                found = {f"{name}/{image}" for image in _list_class(self.root / name)[0]} if now != before else set()
            except OSError as error:
                raise UserError(f"cannot read {self.root / name}: {error.strerror}; {BRING_BACK}") from None
            if now == before:
                continue
            wanted = {file for file in self.files if file.startswith(f"{name}/")}
            other = min(found ^ wanted, default=None)
            if other is not None:
                what = "is gone" if other in wanted else "is new"
                raise UserError(f"{self.root / other} {what} since the run listed its images; {BRING_BACK}")
            self.changed_at[name] = now


def find_split(path: str, split: str, key: str) -> Path:
    """The folder of class folders that `path` means: itself, or its `train/` or `val/` where it holds only these.

    Args:
        split: "train" or "val".
        key: the configuration key that held `path`, for the error.

    Raises:
        UserError: empty, or not a folder.
    """
    if not path:
        raise UserError(f"{key} is not given; wanted a folder with one folder of images per class: --{key} FOLDER")
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{key} is {path}, which is {'not a folder' if folder.exists() else 'missing'}")
    return folder / split if is_root(folder) else folder


def is_root(folder: Path) -> bool:
    """Whether `folder` holds the folders train/ and val/ and no other."""
    return _folders(folder) == ["train", "val"]


def guess_order(root: Path, outputs: int) -> tuple[list[str], str]:
    """The class folders of `root` in the order that the outputs of a network are taken for, and that in words.

    Numbers are the outputs themselves where all of them can be, as those that a prediction without names shows.
    """
    names = _folders(root)
    number_of = {name: int(name) for name in names if name.isascii() and name.isdigit()}
    name_of = {number: name for name, number in number_of.items()}
    if not names or len(name_of) < len(names):
        return names, "in the order of their names"
    if max(name_of) < outputs:
        return [name_of.get(number, str(number)) for number in range(outputs)], "by the numbers that they are called"
    return sorted(names, key=number_of.__getitem__), "in the order of their numbers"


def scan(root: Path, classes: Sequence[str] | None = None) -> ClassFolders:
    """List the images below `root`.

    Args:
        classes: names by label, from training; by default the folders of `root`, sorted.

    Raises:
        UserError: no class folders, an empty class, a folder inside a class folder, or a class
            that `classes` lacks.
    """
    names = _folders(root)
    if not names:
        raise UserError(_no_class_folders(root))
    if classes is None:
        classes = names
        if len(names) == 1:
            logger.warning("%s has one class folder, %s: there is nothing to tell it from", root, *names)
    unknown = [name for name in names if name not in set(classes)]
    if unknown:
        raise UserError(
            f"{root} has {len(unknown)} class folders that training lacks: {shorten(unknown)}; "
            f"the {len(classes)} classes of training are {shorten(classes)}"
        )
    missing = [name for name in classes if name not in set(names)]
    if missing:
        logger.info("%s lacks %d of the %d classes: %s", root, len(missing), len(classes), shorten(missing))
    label_of = {name: label for label, name in enumerate(classes)}
    files: list[str] = []
    labels: list[int] = []
    left_out: list[str] = []
    changed_at = {name: (root / name).stat().st_mtime_ns for name in names}
    for name in names:
        images, others = _list_class(root / name)
        files += [f"{name}/{image}" for image in images]
        labels += [label_of[name]] * len(images)
        left_out += [f"{name}/{other}" for other in others]
    if left_out:
        logger.info("left out %d of a format that is not read: %s", len(left_out), shorten(left_out))
    return ClassFolders(root, tuple(classes), tuple(files), np.asarray(labels, np.int32), changed_at)


def compare_sibling(train: ClassFolders) -> None:
    """Check the folder `val/` beside the training folder, where there is one.

    Raises:
        UserError: it has a class that training lacks, or no class folders at all.
    """
    sibling = train.root.resolve().parent / "val"
    if sibling.is_dir() and sibling != train.root.resolve():
        scan(sibling, train.classes)


def _folders(parent: Path) -> list[str]:
    """Names of the folders in `parent`, sorted; hidden ones, such as notebooks leave behind, are none of ours."""
    return sorted(entry.name for entry in os.scandir(parent) if _is_folder(entry) and not entry.name.startswith("."))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _list_class(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the images, and of files that look like images and cannot be read."""
    images, others = [], []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _is_folder(entry):
            raise UserError(
                f"the class folder {folder} holds the folder {entry.name}; wanted images only: give the folder whose "
                "folders are the classes, or move this one away"
            )
        suffix = os.path.splitext(entry.name)[1].lower()
        if suffix in SUFFIXES:
            images.append(entry.name)
        elif suffix in UNREADABLE_SUFFIXES:
            others.append(entry.name)
    if not images:
        hint = f", only {shorten(others)}" if others else ""
        raise UserError(
            f"class folder {folder} holds no images ({', '.join(SUFFIXES)}){hint}; add some or remove the folder"
        )
    return images, others


def _no_class_folders(root: Path) -> str:
    images = sum(entry.name.lower().endswith(SUFFIXES) for entry in os.scandir(root))
    found = f"{images} images and no class folders" if images else "no class folders"
    return f"{root} holds {found}; wanted one folder per class with its images inside: sort them by class first"
