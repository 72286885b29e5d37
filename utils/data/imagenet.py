"""What the devkit of ImageNet (ILSVRC2012) says of its images, and its tar archives, which are read without unpacking."""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from mindzoo.utils.errors import UserError

CLASSES, VAL_PER_CLASS, TRAIN_IMAGES = 1000, 50, 1_281_167  # of ILSVRC2012
GROUND_TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"
WNID = r"n\d{8}"
MOST_BYTES = 100 << 20  # of the devkit, of a file in it, and of an image: all have some MB
DAMAGED = (tarfile.TarError, zlib.error, EOFError, OSError)  # what reading an archive raises


class Devkit(NamedTuple):
    """What the devkit says."""

    classes: tuple[str, ...]  # WNID of ILSVRC2012_ID 1, 2, ...
    val: dict[str, str]  # WNID by name of each validation image
    train: dict[str, int]  # training images by WNID; empty where that is not known


def read_devkit(devkit: Path, synsets: Path | None) -> Devkit:
    """The classes, and the class of each validation image.

    Raises:
        UserError: a file is missing, damaged, or not that of the devkit.
    """
    wanted = [GROUND_TRUTH] if synsets else [GROUND_TRUTH, META]
    found = files_of(devkit, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UserError(f"--devkit is {devkit}, and holds no {missing[0]}; wanted {ARCHIVE}")
    train: dict[str, int] = {}
    if synsets:
        classes = read_synsets(synsets)
    else:
        train = read_meta(found[META], devkit)
        classes = tuple(train)
    labels = read_labels(found[GROUND_TRUTH], len(classes), devkit)
    names = (f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, len(labels) + 1))
    val = {name: classes[label - 1] for name, label in zip(names, labels, strict=True)}
    return Devkit(classes, val, train if all(train.values()) else {})


def files_of(devkit: Path, wanted: list[str]) -> dict[str, bytes]:
    """The content of these files, wherever in the devkit they lie."""
    if devkit.is_dir():
        paths = {path.name: path for path in (*devkit.glob("*"), *devkit.glob("data/*"), *devkit.glob("*/data/*"))}
        return {name: paths[name].read_bytes()[:MOST_BYTES] for name in wanted if name in paths}
    found = {}
    with opened(devkit, "r:*") as archive:
        for member in archive:
            if member.offset > MOST_BYTES:
                raise UserError(f"--devkit is {devkit}, and is too large for one; wanted {ARCHIVE}")
            name = member.name.rpartition("/")[2]
            if name in wanted and is_plain(member) and member.size <= MOST_BYTES:
                found[name] = open_member(archive, member).read()
    return found


def read_meta(content: bytes, devkit: Path) -> dict[str, int]:
    """meta.mat: WNIDs in the order of ILSVRC2012_ID, with their training images, 0 where it does not say.

    Raises:
        UserError: scipy is missing, or the file is damaged.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise UserError(
            f"reading {META} takes scipy, which is not installed; pip install scipy, or give the WNIDs in the order of "
            "ILSVRC2012_ID: --synsets FILE"
        ) from None
    try:
        synsets: Any = loadmat(io.BytesIO(content), squeeze_me=True)["synsets"]
        leaves = sorted(
            (int(row["ILSVRC2012_ID"]), str(row["WNID"]), _number(row, "num_train_images"))
            for row in synsets.flat
            if int(row["num_children"]) == 0
        )
    except Exception as error:  # whatever a reader of another's format meets in a damaged file
        raise UserError(f"cannot read {META} of {devkit}: {error}; wanted that of {ARCHIVE}") from None
    if [number for number, _, _ in leaves] != list(range(1, len(leaves) + 1)):
        raise UserError(f"{META} of {devkit} does not number its classes from 1 on; wanted that of {ARCHIVE}")
    check_wnids([wnid for _, wnid, _ in leaves], f"{META} of {devkit}")
    return {wnid: images for _, wnid, images in leaves}


def _number(row: Any, name: str) -> int:
    return int(row[name]) if name in row.dtype.names else 0


def read_synsets(path: Path) -> tuple[str, ...]:
    """WNIDs, the first word of each line.

    Raises:
        UserError: it cannot be read, or is a list in another order.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(MOST_BYTES).splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    wnids = [line.split()[0] for line in lines if line.strip()]
    check_wnids(wnids, str(path))
    if len(wnids) == CLASSES and wnids == sorted(wnids):
        raise UserError(
            f"{path} lists the WNIDs by name; the ground truth counts in the order of ILSVRC2012_ID, which begins with "
            "n02119789: wanted a list in that order, or none, to read meta.mat"
        )
    return tuple(wnids)


def check_wnids(wnids: list[str], what: str) -> None:
    """Refuse what could not be the names of classes.

    Raises:
        UserError: names the first that is none, or stands twice.
    """
    odd = next((wnid for wnid in wnids if not re.fullmatch(WNID, wnid, re.ASCII)), "")
    twice = next((wnid for wnid, count in Counter(wnids).items() if count > 1), "")
    if odd or twice or not wnids:
        found = f"holds {odd}" if odd else f"has {twice} twice" if twice else "has no class"
        raise UserError(f"{what} {found}; wanted each WNID once, such as n01440764")


def read_labels(content: bytes, classes: int, devkit: Path) -> list[int]:
    """The ILSVRC2012_ID of each validation image.

    Raises:
        UserError: another number of images, or no such class.
    """
    words = content.decode("ascii", "replace").split()
    what = f"{GROUND_TRUTH} of {devkit}"
    odd = next(
        (word for word in words if not re.fullmatch(r"\d{1,6}", word, re.ASCII) or not 1 <= int(word) <= classes), ""
    )
    if odd or not words:
        raise UserError(f"{what} holds {odd or 'nothing'}; wanted numbers from 1 to {classes}, one a line")
    labels = [int(word) for word in words]
    sizes = Counter(labels)
    if len(sizes) < classes or (classes == CLASSES and set(sizes.values()) != {VAL_PER_CLASS}):
        wanted = f"{VAL_PER_CLASS} of each of {CLASSES}" if classes == CLASSES else f"some of each of {classes}"
        found = f"{min(sizes.values())} to {max(sizes.values())} of each of {len(sizes)} classes"
        raise UserError(f"{what} has {len(labels)} images, {found}; wanted {wanted}")
    return labels


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether it is a file that takes as much room in the archive as it says."""
    return member.isreg() and not member.issparse()


def open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """The content of a plain file."""
    return cast(IO[bytes], archive.extractfile(member))


@contextmanager
def opened(path: Path, mode: Any, content: IO[bytes] | None = None) -> Iterator[tarfile.TarFile]:
    """A tar archive; what goes wrong in it while it is read is said of it.

    Raises:
        UserError: it is none, or is cut off.
    """
    try:
        with tarfile.open(None if content else path, mode, content) as archive:
            yield archive
    except DAMAGED as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UserError:
    """What is said of an archive, or of a file from one, that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition(":\n")[0]
    return UserError(f"cannot read {path}: {reason}; fetch it again, and give the same command: what is sorted stays")
