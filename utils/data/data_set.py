"""The data set that a configuration names: its split, its classes, and the kind that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mindzoo.utils.data import class_folders, listing, pack_files, packed
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside, unsaid


def open_set(
    root: Path, classes: Sequence[str] | None = None, skip: SkipList | None = None, *, stop: bool = True
) -> ImageSet:
    """The images of `root`, a pack or a folder of class folders; the arguments are those of `class_folders.scan`.

    Raises:
        UserError: see `class_folders.scan` and `packed.open_pack`.
    """
    if listing.is_pack(root):
        return packed.open_pack(root, classes, skip)
    return class_folders.scan(root, classes, skip, stop=stop)


def find_split(path: str, split: str, key: str) -> Path:
    """The folder of class folders that `path` means: itself, or of a root with train, val and test one of these.

    Args:
        split: "train" or "val"; a root without val has test in its place.
        key: the configuration key that held `path`, for the error.

    Raises:
        UserError: empty, not a folder that can be listed, or a pack of which a split is lost.
    """
    if not path:
        raise UserError(f"{key} is not given; wanted a folder with one folder of images per class: --{key} FOLDER")
    folder = Path(path)
    found = splits(folder, key)
    if not found:
        return folder
    chosen = found.get(split, found.get("test", folder))
    if listing.is_pack(chosen):
        check_none_is_lost(key, found, chosen)
    if split not in found:
        aside("%s has no folder %s: %s is used", folder, split, chosen.name)
    return chosen


def splits(root: Path, what: str) -> dict[str, Path]:
    """The folders of a root with train, val and test, by these names; {} where it is one data set itself.

    Args:
        what: the root is called in errors.

    Raises:
        UserError: not a folder that can be listed, or a pack of which one of these is lost.
    """
    if not root.is_dir():
        raise UserError(f"{what} is {root}, which is {'not a folder' if root.exists() else 'missing'}")
    try:
        found, names = listing.split_folders(root), listing.class_names(root)
    except OSError as error:
        raise UserError(f"cannot list {what} {error.filename or root}: {error.strerror}") from None
    if not found:
        _check_not_one_of_several(what, root, names)
    return found


def check_none_is_lost(what: str, found: Mapping[str, Path], pack: Path) -> None:
    """Refuse a root that has lost a split which was packed together with one that it has, `pack`.

    Args:
        what: the root is called in errors.
        found: the splits of the root.

    Raises:
        UserError: names those that are lost; or the index of `pack` cannot be read.
    """
    if lost := [split for split in pack_files.read_index(pack).splits if split not in found]:
        raise _lost(what, pack, [folder.name for folder in found.values()], " or ".join(lost))


def _check_not_one_of_several(what: str, root: Path, names: Sequence[str]) -> None:
    """Refuse a root without train, or with one split alone, where these are packs and not classes."""
    there = {split: name for split, spellings in listing.SPLITS.items() for name in spellings if name in names}
    packs = [name for name in there.values() if listing.is_pack(root / name)]
    if packs and ("train" not in there or len(there) == 1):
        raise _lost(what, root / packs[0], packs, "val or test" if "train" in there else "train")


def _lost(what: str, pack: Path, there: Sequence[str], lost: str) -> UserError:
    """About the root that `pack` lies in."""
    return UserError(
        f"{what} is {pack.parent}, a pack of which a folder is missing: it has {' and '.join(there)} and no {lost}; copy the "
        f"pack again, or give {pack} alone"
    )


def class_names(root: Path) -> list[str]:
    """The classes that `root` has images of, in the order of their names' bytes.

    Raises:
        UserError: it is a pack that cannot be read.
    """
    return packed.class_names(root) if listing.is_pack(root) else listing.class_names(root)


def guess_order(root: Path, outputs: int) -> tuple[list[str], str]:
    """The classes of `root` in the order that the outputs of a network are taken for, and that in words.

    Numbers are the outputs themselves where all of them can be, as those that a prediction without names shows.
    """
    names = class_names(root)
    number_of = {name: int(name) for name in names if name.isascii() and name.isdigit()}
    name_of = {number: name for name, number in number_of.items()}
    if not names or len(name_of) < len(names):
        return names, "in the order of their names"
    if max(name_of) < outputs:
        return [name_of.get(number, str(number)) for number in range(outputs)], "by the numbers that they are called"
    return sorted(names, key=number_of.__getitem__), "in the order of their numbers"


def compare_sibling(train: ImageSet) -> None:
    """Check the set `val/` beside that of training, where there is one.

    Raises:
        UserError: it has a class that training lacks, or no class folders at all.
    """
    own = train.root.resolve()
    for name in listing.SPLITS["val"]:
        sibling = own.parent / name
        if sibling.is_dir() and sibling != own:
            with unsaid():  # whoever evaluates it says what is odd in it
                open_set(sibling, train.classes, stop=False)
