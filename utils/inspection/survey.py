"""What lies in a data folder, before a file is opened: splits, classes, names, and what is odd in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mindzoo.utils.data import listing
from mindzoo.utils.data.listing import Listed, absolute, folder_name, is_utf8
from mindzoo.utils.data.look import look_at
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.images import kinds
from mindzoo.utils.inspection import names
from mindzoo.utils.inspection.findings import Findings

# Pictures of kinds that are not read, in the words of `kinds.described`.
UNREAD = ("is JPEG 2000", "is JPEG XL", "is HEIC", "is HEIF", "is AVIF", "is Photoshop's PSD")


@dataclass
class Split:
    """A folder of class folders."""

    kind: str  # "train", "val", "test"; "" for the only one
    root: Path
    classes: dict[str, list[str]]  # names of the images, by class
    good: dict[str, int] = field(default_factory=dict)  # how many of them can be read

    @property
    def name(self) -> str:
        """What the folder is called, which skip lists begin with."""
        return folder_name(self.root)

    def images(self) -> Iterator[tuple[str, str]]:
        """(class, file) of each."""
        return ((name, image) for name, images in self.classes.items() for image in images)

    def __len__(self) -> int:
        return sum(map(len, self.classes.values()))


def survey(root: Path, findings: Findings) -> list[Split]:
    """List all that lies in `root`: a folder of class folders, or one of train/, val/ and test/.

    Raises:
        UserError: it cannot be listed, or holds no images in class folders.
    """
    try:
        parts = listing.split_folders(root)
        if any(map(listing.is_pack, (root, *parts.values()))):
            raise UserError(
                f"{root} is a pack, whose images were looked at before; mindzoo pack --verify {root} reads it"
            )
        if parts:
            _look_beside(root, folder_name(root), findings)
        splits = [_split(kind, path, findings) for kind, path in (parts or {"": root}).items()]
    except OSError as error:
        raise UserError(f"cannot list {error.filename or root}: {error.strerror}") from None
    if not any(map(len, splits)):
        names_of_folders = [name for split in splits for name in split.classes]
        found = f"folders ({shorten(names_of_folders)}) without images" if names_of_folders else "no folders"
        raise UserError(
            f"{root} holds {found}; wanted one folder of images per class, or train/, val/ and test/ with such folders"
        )
    return splits


def _split(kind: str, root: Path, findings: Findings) -> Split:
    split, above = Split(kind, root, {}), len(str(absolute(root)))
    _look_beside(root, split.name, findings)
    if above > names.LONG:
        findings.add("long", split.name, f"{above} characters")
    found = listing.class_names(root)
    for one, other in names.alike(found):
        findings.add("alike_classes", f"{split.name}/{one}", names.told_apart(one, other))
    for name in found:
        prefix = f"{split.name}/{name}"
        if not is_utf8(name):
            findings.add("not_utf8_class", prefix, names.in_words(name))
        _check_name(name, prefix, above, findings)
        try:
            listed = listing.list_class(root / name)
        except OSError as error:
            findings.add("unlisted", prefix, error.strerror or str(error))
            continue
        split.classes[name] = listed.images
        _check_class(root / name, prefix, listed, findings)
    return split


def _look_beside(root: Path, name: str, findings: Findings) -> None:
    """What lies beside the folders of a root."""
    listed = listing.list_class(root)
    for image in listed.images:
        findings.add("loose", f"{name}/{image}")
    for hidden in listed.hidden:
        findings.add("hidden", f"{name}/{hidden}")
    for other in (*listed.not_files, *listed.left_out):
        # A class folder may be a link to a disk that is not there.
        if reason := listing.not_a_file(root / other):
            findings.add("not_a_file", f"{name}/{other}", reason)


def _check_class(folder: Path, prefix: str, listed: Listed, findings: Findings) -> None:
    for name in listed.hidden:
        findings.add("hidden", f"{prefix}/{name}")
    for name in listed.folders:
        findings.add("nested", f"{prefix}/{name}")
    for name in listed.not_files:
        findings.add("not_a_file", f"{prefix}/{name}", listing.not_a_file(folder / name))
    for name in listed.left_out:
        kind, detail = _other_file(folder / name)
        findings.add(kind, f"{prefix}/{name}", detail)
    for one, other in names.alike(listed.images):
        findings.add("alike_files", f"{prefix}/{one}", names.told_apart(one, other))
    above = len(str(absolute(folder)))
    for name in (*listed.images, *listed.not_files):
        if not is_utf8(name):
            findings.add("not_utf8", f"{prefix}/{name}", names.in_words(name))
        _check_name(name, f"{prefix}/{name}", above, findings)


def _check_name(name: str, shown: str, above: int, findings: Findings) -> None:
    """The name of a file or a class folder; `above`: characters of the path that it is in, too many of which are said once."""
    if names.has_control_characters(name):
        findings.add("control", shown)
    length = above + 1 + len(name)
    if length > names.LONG >= above:
        findings.add("long", shown, f"{length} characters")


def _other_file(path: Path) -> tuple[str, str]:
    """The kind of finding that a file is whose name is not an image's, and what there is to say."""
    if reason := listing.not_a_file(path):
        return "not_a_file", reason
    try:
        with open(path, "rb") as file:
            head = file.read(kinds.HEAD)
    except OSError as error:
        return "others", f"cannot be opened: {error.strerror}"
    if kinds.kind_of(head) and not (look := look_at(path)).fault:
        return "left_out", f"is {look.kind}"
    words = kinds.described(head)
    return ("unsupported", words) if words.startswith(UNREAD) else ("others", "")
