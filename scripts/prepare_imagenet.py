"""Sort the archives of ImageNet (ILSVRC2012) into class folders, and check that nothing is missing.

    python scripts/prepare_imagenet.py TARGET --devkit ILSVRC2012_devkit_t12.tar.gz --val ILSVRC2012_img_val.tar
                                              --train ILSVRC2012_img_train.tar

--val is the flat archive of 50,000 files, or a folder that it was unpacked into; --train the archive of 1,000 archives, or a
folder of these; --devkit the archive or its folder. They become TARGET/val/WNID/*.JPEG and TARGET/train/WNID/*.JPEG. One of --val
and --train may be left out. What is in TARGET already is not written again, so that the same command goes on where it was stopped.

The class of a validation image is its line in the devkit's ILSVRC2012_validation_ground_truth.txt: an ILSVRC2012_ID, whose WNID is in
the devkit's meta.mat. Reading that file takes scipy (the extra `demo` brings it). Without it --synsets FILE gives the WNIDs, one a line,
in the order of ILSVRC2012_ID, which is not the order of the names.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable")

from mindzoo.utils import log  # noqa: E402
from mindzoo.utils.data.imagenet import (  # noqa: E402
    CLASSES,
    DAMAGED,
    MOST_BYTES,
    TRAIN_IMAGES,
    Devkit,
    is_plain,
    open_member,
    opened,
    read_devkit,
    unreadable,
)
from mindzoo.utils.errors import UserError, shorten  # noqa: E402
from mindzoo.utils.exits import FoundProblems, exit_status  # noqa: E402
from mindzoo.utils.files import said_of, whole_file  # noqa: E402

CLASS_ARCHIVE = r"(n\d{8})\.tar"
LEFT_OVER = r"\.\w+\.\d+\.tmp\.JPEG"  # of a run that was killed while it wrote
SECONDS_BETWEEN_LINES = 5.0


class Image(NamedTuple):
    """One file of a source."""

    name: str
    size: int  # bytes
    path: Path  # of itself, or of the archive that it is in
    packed: bool  # in an archive
    open: Callable[[], IO[bytes]]


@dataclass
class Part:
    """What becomes of one source."""

    name: str  # train or val
    folder: Path
    total: int  # images that it should have
    progress: log.ProgressDisplay
    move: bool = False
    written: int = 0
    there: int = 0
    foreign: list[str] = field(default_factory=list)  # names that do not belong to it
    shown: float = field(default_factory=time.monotonic)  # when a line of progress was

    def put(self, image: Image, wnid: str) -> None:
        """Make the image a file of the class, unless it is there; whole or not at all."""
        if image.size > MOST_BYTES:
            raise UserError(
                f"{image.name} has {image.size} bytes, as no image of ImageNet has; fetch the archive again"
            )
        place = self.folder / wnid / image.name
        if is_there(place, image.size):
            self.there += 1
        else:
            self._write(image, place)
            self.written += 1
        if time.monotonic() - self.shown > SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            self.progress.show(f"{self.name}: {self.written + self.there} of {self.total} images")

    def _write(self, image: Image, place: Path) -> None:
        with said_of(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        if self.move and not image.packed:
            with said_of(place, "--move renames within one disk only: leave it out to copy"):
                os.replace(image.path, place)
            return
        try:
            with image.open() as source:
                content = source.read()
        except DAMAGED as error:
            raise unreadable(image.path, error) from None
        with said_of(place), whole_file(place) as unfinished:
            unfinished.write_bytes(content)


def is_there(place: Path, size: int) -> bool:
    """Whether it is a file of this size already."""
    try:
        about = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == size


def main() -> int:
    options = arguments()
    progress = log.start()
    return exit_status(lambda: prepare(options, progress))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="where train/ and val/ are made")
    parser.add_argument("--devkit", type=Path, required=True, help="ILSVRC2012_devkit_t12.tar.gz, or its folder")
    parser.add_argument("--val", type=Path, help="ILSVRC2012_img_val.tar, or a folder with its files")
    parser.add_argument("--train", type=Path, help="ILSVRC2012_img_train.tar, or a folder with the archives in it")
    parser.add_argument("--synsets", type=Path, help="WNIDs in the order of ILSVRC2012_ID, instead of meta.mat")
    parser.add_argument(
        "--move", action="store_true", help="rename the files of the folder VAL instead of copying them"
    )
    return parser.parse_args()


def prepare(options: argparse.Namespace, progress: log.ProgressDisplay) -> None:
    """Sort what is given, and say whether it is whole.

    Raises:
        UserError: something cannot be read or written, or is not what it is given as.
        FoundProblems: images are missing, or are too many.
    """
    check(options)
    devkit = read_devkit(options.devkit, options.synsets)
    problems: list[str] = []
    if options.val:
        part = Part("val", options.target / "val", len(devkit.val), progress, options.move)
        sort_val(options.val, part, devkit)
        problems += finish(part, options.val, Counter(devkit.val.values()))
    if options.train:
        total = sum(devkit.train.values()) or (TRAIN_IMAGES if len(devkit.classes) == CLASSES else 0)
        part = Part("train", options.target / "train", total, progress)
        sort_train(options.train, part, devkit)
        problems += finish(part, options.train, devkit.train or dict.fromkeys(devkit.classes, 0))
    for problem in problems:
        log.logger.info("problem: %s", problem)
    if problems:
        raise FoundProblems


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be done before anything is written.

    Raises:
        UserError: says what is wrong with which argument.
    """
    if not options.val and not options.train:
        raise UserError("neither --val nor --train is given; wanted one of them, or both")
    for name in ("devkit", "val", "train", "synsets"):
        path = getattr(options, name)
        if path and not path.exists():
            raise UserError(f"--{name} is {path}, which is missing")
    if options.move and not (options.val and options.val.is_dir()):
        raise UserError("--move is given, and --val is no folder; archives are left as they are: leave --move out")
    if options.target.exists() and not options.target.is_dir():
        raise UserError(f"TARGET is {options.target}, which is a file; name a folder")


def sort_val(source: Path, part: Part, devkit: Devkit) -> None:
    """Every validation image of the source into the folder of its class."""
    for image in images_in(source):
        wnid = devkit.val.get(image.name)
        if wnid:
            part.put(image, wnid)
        else:
            part.foreign.append(image.name)


def sort_train(source: Path, part: Part, devkit: Devkit) -> None:
    """Every image of every class archive of the source into the folder of the class."""
    known = set(devkit.classes)
    for archive in images_in(source):
        named = re.fullmatch(CLASS_ARCHIVE, archive.name, re.ASCII)
        if not named or named[1] not in known:
            part.foreign.append(archive.name)
            continue
        with archive.open() as content:
            for image in images_in(source / archive.name, content):
                if re.fullmatch(rf"{named[1]}_\d+\.JPEG", image.name, re.ASCII):
                    part.put(image, named[1])
                else:
                    part.foreign.append(f"{archive.name}: {image.name}")


def images_in(source: Path, content: IO[bytes] | None = None) -> Iterator[Image]:
    """The files of a folder or an archive, in its order, names without folders; `content`: of an archive that is open.

    Nothing is unpacked by the names in an archive: they are compared with those that are wanted.

    Raises:
        UserError: it cannot be read.
    """
    if content is None and source.is_dir():
        for path in sorted(path for path in source.iterdir() if path.is_file()):
            yield Image(path.name, path.stat().st_size, path, False, partial(open_file, path))
        return
    with opened(source, "r:", content) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if is_plain(member):
                yield Image(name, member.size, source, True, partial(open_member, archive, member))
            elif not member.isdir():
                raise UserError(f"{source} holds {name}, which is no plain file; wanted an archive as ImageNet has it")


def open_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def finish(part: Part, source: Path, wanted: Mapping[str, int]) -> list[str]:
    """Say what was done, and list what is wrong with the folder now; `wanted`: images by class, 0 where it is not known."""
    part.progress.clear()
    sizes = {wnid: count_images(part.folder / wnid) for wnid in wanted}
    images = sum(sizes.values())
    if not images:
        example = "ILSVRC2012_val_00000001.JPEG" if part.name == "val" else "n01440764.tar"
        found = f"{len(part.foreign)} others: {shorten(part.foreign)}" if part.foreign else "nothing"
        raise UserError(f"--{part.name} is {source}; wanted files such as {example} in it, and found {found}")
    log.logger.info(
        "%s: %d images of %d classes; %d written, %d were there",
        *(part.folder, images, sum(size > 0 for size in sizes.values()), part.written, part.there),
    )
    problems = []
    wrong = [f"{wnid} has {size}{f', wanted {wanted[wnid]}' if wanted[wnid] else ''}" for wnid, size in sizes.items()
             if size != wanted[wnid] and (wanted[wnid] or not size)]  # fmt: skip
    if wrong:
        problems.append(
            f"{part.name}: {len(wrong)} of {len(sizes)} classes lack images or have too many: {shorten(wrong)}"
        )
    if part.total and images != part.total:
        problems.append(f"{part.name}: {images} images; wanted {part.total}")
    others = sorted(path.name for path in part.folder.iterdir() if path.name not in wanted)
    for what, names in (("the source", part.foreign), (f"{part.folder}", others)):
        if names:
            problems.append(f"{part.name}: {what} holds names that do not belong there: {shorten(names)}")
    return problems


def count_images(folder: Path) -> int:
    """The files of a class; what a run that was killed left unfinished is removed."""
    if not folder.is_dir():
        return 0
    names = os.listdir(folder)
    for name in names:
        if re.fullmatch(LEFT_OVER, name):
            (folder / name).unlink()
    return sum(not re.fullmatch(LEFT_OVER, name) for name in names)


if __name__ == "__main__":
    raise SystemExit(main())
