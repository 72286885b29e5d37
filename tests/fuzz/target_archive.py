"""Archives of data, as they are unpacked after they were copied from a bucket."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

from mindzoo.tests.fuzz.target import Target
from mindzoo.tests.support.tar_files import FILE, FOLDER, LINK, SECOND, packed
from mindzoo.utils.storage import archive

TOP = Path("top")
MEMBERS = (
    ("./", FOLDER, ""),
    ("./d/" + "ü" * 60 + "/x" * 20 + ".png", FILE, b"1" * 900),
    ("./d/a/1.png", FILE, b"1" * 2000),
    ("./d/a/2.png", SECOND, "./d/a/1.png"),
    ("./d/link", LINK, "a"),
    ("./d/b/3.png", FILE, b""),
)


def seeds() -> list[bytes]:
    forms = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    return [*(packed(*MEMBERS, form=form) for form in forms), gzip.compress(packed(*MEMBERS), mtime=0)]


def read(content: bytes) -> dict[str, bytes]:
    """The files, by name; nothing may be beside the folder, or a link."""
    shutil.rmtree(TOP, ignore_errors=True)
    folder = TOP / "middle" / "copy"
    folder.mkdir(parents=True)
    (folder / "d.tar").write_bytes(content)
    try:
        root = folder / archive.unpack(folder, "d.tar")
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    finally:
        assert {path.name for top in (TOP, folder.parent) for path in top.iterdir()} == {"middle", "copy"}
        assert not any(path.is_symlink() for path in TOP.rglob("*"))


def unseen(good: object, found: object) -> bool:
    """A plain tar file has checksums of its headers only."""
    return True


TARGET = Target(seeds, read, unseen)
