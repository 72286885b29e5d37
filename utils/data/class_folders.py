"""Class folders: one folder per class, images inside. What is wrong with them is said before anything is read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mindzoo.utils.data import listing
from mindzoo.utils.data.listing import SUFFIXES, Listed, composed, is_utf8
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger

BRING_BACK = "put the images back, or go on with those that are there, with --resume auto"


@dataclass(frozen=True)
class ClassFolders:
    """The images below `root`: `files[i]` is of class `labels[i]`, sorted by class folder, then by file name."""

    root: Path
    classes: tuple[str, ...]  # all classes of the data set, by label; a validation folder may lack some
    files: tuple[str, ...]  # "class/name.png"
    labels: np.ndarray  # int32, as long as files
    listed: dict[str, Listed] = field(default_factory=dict)  # what each class folder held when it was listed last
    changed_at: dict[str, int] = field(default_factory=dict)  # nanoseconds at which it was changed last
    left_out: Mapping[str, str] = field(default_factory=dict)  # images that are not used, and why
    _places: list[np.ndarray] = field(init=False, default_factory=list, repr=False, compare=False)  # one, or none yet

    def __len__(self) -> int:
        return len(self.files)

    @property
    def suffixes(self) -> list[str]:
        """The suffixes that occur, exactly as spelled."""
        return sorted({os.path.splitext(name)[1] for name in self.files})

    @property
    def class_index(self) -> dict[str, int]:
        """Label by name of each class folder that is there."""
        labels, first = np.unique(self.labels, return_index=True)
        found = {self.files[place].split("/", 1)[0]: int(label) for label, place in zip(labels, first, strict=True)}
        return {name: found[name] for name in listing.by_bytes([*found])}

    def without(self, left_out: Mapping[str, str]) -> ClassFolders:
        """The folders without some of the images, which are given with the reasons.

        Raises:
            UserError: a class would have no images.
        """
        stay = np.array([name not in left_out for name in self.files], bool)
        files = tuple(name for name in self.files if name not in left_out)
        gone = set(self.class_index) - {name.split("/", 1)[0] for name in files}
        if gone:
            name = min(gone)
            reason = next(f"{image} {why}" for image, why in left_out.items() if image.startswith(f"{name}/"))
            raise UserError(f"class folder {self.root / name} holds no image that can be used: {reason}")
        return dataclasses.replace(
            self, files=files, labels=self.labels[stay], left_out={**self.left_out, **left_out}
        )  # fmt: skip

    def places(self) -> np.ndarray:
        """The number (int64) that MindSpore gives to each file.

        It numbers all entries of the class folders that have one of the suffixes: hidden ones too, and those left out.
        """
        if self._places:
            return self._places[0]
        suffixes, number, place = set(self.suffixes), 0, {}
        for name in self.class_index:
            for entry in self.listed[name].names:
                if entry[entry.rfind(".") :] in suffixes and "." in entry:
                    place[f"{name}/{entry}"] = number
                    number += 1
        self._places.append(np.array([place[name] for name in self.files], np.int64))
        return self._places[0]

    def check_unchanged(self) -> None:
        """Refuse to read files of which some came or went: MindSpore numbers those it finds anew for each pass.

        Costs one look at each class folder, and a list of those that something happened to.

        Raises:
            UserError: names the first file, or the folder that is gone.
        """
        for name, before in self.changed_at.items():
            try:
                now = (self.root / name).stat().st_mtime_ns
                if now == before:
                    continue
                found = listing.list_class(self.root / name)
            except OSError as error:
                raise UserError(f"cannot read {self.root / name}: {error.strerror}; {BRING_BACK}") from None
            known, images = set(self.listed[name].images), set(found.images)
            other = min(known ^ images, default=None)
            if other is not None:
                what = "is gone" if other in known else "is new"
                raise UserError(f"{self.root / name / other} {what} since the run listed its images; {BRING_BACK}")
            self.listed[name], self.changed_at[name] = found, now
            self._places.clear()


def find_split(path: str, split: str, key: str) -> Path:
    """The folder of class folders that `path` means: itself, or of a root with train, val and test one of these.

    Args:
        split: "train" or "val"; a root without val has test in its place.
        key: the configuration key that held `path`, for the error.

    Raises:
        UserError: empty, or not a folder that can be listed.
    """
    if not path:
        raise UserError(f"{key} is not given; wanted a folder with one folder of images per class: --{key} FOLDER")
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{key} is {path}, which is {'not a folder' if folder.exists() else 'missing'}")
    try:
        found = listing.split_folders(folder)
    except OSError as error:
        raise UserError(f"cannot list {key} {path}: {error.strerror}") from None
    if found and split not in found:
        logger.info("%s has no folder %s: %s is used", folder, split, found["test"].name)
        return found["test"]
    return found.get(split, folder)


def guess_order(root: Path, outputs: int) -> tuple[list[str], str]:
    """The class folders of `root` in the order that the outputs of a network are taken for, and that in words.

    Numbers are the outputs themselves where all of them can be, as those that a prediction without names shows.
    """
    names = listing.class_names(root)
    number_of = {name: int(name) for name in names if name.isascii() and name.isdigit()}
    name_of = {number: name for name, number in number_of.items()}
    if not names or len(name_of) < len(names):
        return names, "in the order of their names"
    if max(name_of) < outputs:
        return [name_of.get(number, str(number)) for number in range(outputs)], "by the numbers that they are called"
    return sorted(names, key=number_of.__getitem__), "in the order of their numbers"


def scan(
    root: Path, classes: Sequence[str] | None = None, skip: SkipList | None = None, *, stop: bool = True
) -> ClassFolders:
    """List the images below `root`.

    Args:
        classes: names by label, from training; by default the folders of `root`, sorted. Names that differ in Unicode
            normalisation only are the same: macOS writes others than Linux.
        skip: images that are left out.
        stop: links that lead nowhere, and the like, are errors unless `skip` names them; else they are left out.

    Raises:
        UserError: no class folders, an empty class, a folder inside a class folder, a name that is not UTF-8, or a
            class that `classes` lacks.
    """
    try:
        names = listing.class_names(root)
        listed = {name: listing.list_class(root / name) for name in names}
        changed_at = {name: (root / name).stat().st_mtime_ns for name in names}
    except OSError as error:
        raise UserError(f"cannot list {error.filename or root}: {error.strerror}") from None
    if not names:
        raise UserError(_no_class_folders(root))
    _check_names(root, names)
    if classes is None and len(names) == 1:
        logger.warning("%s has one class folder, %s: there is nothing to tell it from", root, *names)
    classes = tuple(names if classes is None else classes)
    label_of = _labels(root, names, classes)
    odd = {f"{name}/{n}": listing.not_a_file(root / name / n) for name in names for n in listed[name].not_files}
    for name in names:
        _check_class(root / name, listed[name])
    for name, reason in odd.items() if stop else ():
        if not (skip and skip.holds(root, name)):
            raise UserError(
                f"{root / name} {reason}; remove it, or leave out such files: --on_bad_image skip"
            )  # fmt: skip
    files = [f"{name}/{image}" for name in names for image in listed[name].images]
    labels = [label_of[name] for name in names for _ in listed[name].images]
    others = [f"{name}/{other}" for name in names for other in listed[name].left_out]
    if others:
        logger.info("left out %d files whose names do not end as an image's: %s", len(others), shorten(others))
    found = ClassFolders(root, classes, tuple(files), np.asarray(labels, np.int32), listed, changed_at, odd)
    return _skipped(found, skip) if skip else found


def compare_sibling(train: ClassFolders) -> None:
    """Check the folder `val/` beside the training folder, where there is one.

    Raises:
        UserError: it has a class that training lacks, or no class folders at all.
    """
    own = train.root.resolve()
    for name in listing.SPLITS["val"]:
        sibling = own.parent / name
        if sibling.is_dir() and sibling != own:
            scan(sibling, train.classes, stop=False)


def _skipped(folders: ClassFolders, skip: SkipList) -> ClassFolders:
    named = {name: f"is in {skip.path}" for name in folders.files if skip.holds(folders.root, name)}
    count = len(named) + sum(skip.holds(folders.root, name) for name in folders.left_out)
    logger.info("%s: %d of its %d names are images of %s", skip.path, count, len(skip.names), folders.root)
    return folders.without(named)


def _check_names(root: Path, names: Sequence[str]) -> None:
    """Class folders become class names, in checkpoints and JSON."""
    seen: dict[str, str] = {}
    for name in names:
        if not is_utf8(name):
            raise UserError(f"the class folder {root / name} has a name that is not UTF-8; rename it")
        twin = seen.setdefault(composed(name), name)
        if twin != name:
            raise UserError(
                f"{root} has the class folders {twin!a} and {name!a}, which are one name written in two ways (Unicode "
                "normalisation); put their images into one"
            )


def _labels(root: Path, names: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Label by name of each folder."""
    exact = {name: label for label, name in enumerate(classes)}
    normal = {composed(name): label for label, name in enumerate(classes)}
    label_of = {name: exact.get(name, normal.get(composed(name), -1)) for name in names}
    if unknown := [name for name in names if label_of[name] < 0]:
        twin = {name.casefold(): name for name in classes}.get(unknown[0].casefold())
        raise UserError(
            f"{root} has {len(unknown)} class folders that training lacks: {shorten(unknown)}; the {len(classes)} classes "
            f"of training are {shorten(classes)}{f'; {twin} differs in case only' if twin else ''}"
        )
    there = set(label_of.values())
    if missing := [name for label, name in enumerate(classes) if label not in there]:
        logger.info("%s lacks %d of the %d classes: %s", root, len(missing), len(classes), shorten(missing))
    return label_of


def _check_class(folder: Path, listed: Listed) -> None:
    if listed.folders:
        raise UserError(
            f"the class folder {folder} holds the folder {listed.folders[0]}; wanted images only: give the folder whose "
            "folders are the classes, or move this one away"
        )
    if not listed.images:
        hint = f", only {shorten(listed.left_out)}" if listed.left_out else ""
        raise UserError(
            f"class folder {folder} holds no images ({', '.join(SUFFIXES)}){hint}; add some or remove the folder"
        )


def _no_class_folders(root: Path) -> str:
    images = len(listing.list_class(root).images)
    found = f"{images} images and no class folders" if images else "no class folders"
    return f"{root} holds {found}; wanted one folder per class with its images inside: sort them by class first"
