"""Archives of data: unpacked where they are whole and plain, and refused in a sentence where they are not."""

from __future__ import annotations

import bz2
import gzip
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.tar_files import FIFO, FILE, FOLDER, LINK, SECOND, packed
from mindzoo.utils import log
from mindzoo.utils.errors import LONGEST_LINE, UserError
from mindzoo.utils.storage import archive


def unpack(tmp_path: Path, raw: bytes, name: str = "d.tar") -> dict[str, Any]:
    """What is unpacked, by path: content, or what a link leads to."""
    folder = tmp_path / "copy"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw)
    root = folder / archive.unpack(folder, name)
    return {
        path.relative_to(root).as_posix(): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if not path.is_dir()
    }


PLAIN = (
    ("./", FOLDER, ""),
    ("./data", FOLDER, ""),
    ("./data/a/1.png", FILE, b"1" * 700),
    ("./data/b/2.png", FILE, b""),
)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_folders_and_files_are_unpacked(tmp_path: Path, form: int, pack: Any) -> None:
    wanted = {"a/1.png": b"1" * 700, "b/2.png": b""}
    assert unpack(tmp_path, pack(packed(*PLAIN, form=form))) == wanted
    assert unpack(tmp_path, pack(packed(*PLAIN[1:], form=form)), "d.tar.gz") == wanted  # once more, over what is there


def test_long_names_are_unpacked(tmp_path: Path) -> None:
    name = "d/" + "/".join("ü" * 60 for _ in range(5)) + "/x.png"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert [*unpack(tmp_path, packed((name, FILE, b"1"), form=form)).values()] == [b"1"]


def test_of_two_files_of_a_name_the_later_counts_and_a_second_name_is_kept(tmp_path: Path) -> None:
    members = (("a/1", FILE, b"old"), ("a/2", SECOND, "a/1"), ("a/1", FILE, b"new"), ("b/3", FILE, b"3"))
    assert unpack(tmp_path, packed(*members)) == {"a/1": b"new", "a/2": b"old", "b/3": b"3"}


def test_links_and_devices_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    members = (
        ("a/1.png", FILE, b"1"),
        ("a/2.png", LINK, "1.png"),
        ("away", LINK, str(tmp_path)),
        ("away/evil", FILE, b"1"),  # into a plain folder of that name
        ("b/pipe.png", FIFO, ""),
        ("b/none", SECOND, "a/none"),
    )
    log.start()
    assert unpack(tmp_path, packed(*members)) == {"a/1.png": b"1", "away/evil": b"1"}
    assert "d.tar, entries that are links or no plain files: 4" in capsys.readouterr().out
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../../evil", FILE, b"1"), "holds a file whose name has .. in it: ../../evil; pack it again without"),
        (("{}/evil", FILE, b"1"), "holds a file whose name is that of a path from the root"),
        (("{}/evil", FOLDER, ""), "holds a file whose name is that of a path from the root"),
        (("a\\b", FILE, b"1"), "holds a file whose name holds a backslash"),
        (("a/2", SECOND, "../../../secret"), "holds a file whose name has .. in it"),
        (("a/2", SECOND, "{}/secret"), "holds a file whose name is that of a path from the root"),
        (("a/1/2", FILE, b"1"), "cannot unpack .*: .*Not a directory|cannot unpack .*File exists"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(tmp_path: Path, member: tuple[str, bytes, Any], said: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    name, kind, content = member
    content = content.format(tmp_path) if isinstance(content, str) else content
    with pytest.raises(UserError, match=said):
        unpack(tmp_path, packed(("a/1", FILE, b"1"), (name.format(tmp_path), kind, content)))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["copy", "cwd", "d.tar", "secret"]


BOMB_MEMBER = ("a/1.png", FILE, b"1")


def number(raw: bytes, at: int, field: bytes) -> bytes:
    """The header at `at` with another field, of the right checksum."""
    place = {b"size": (124, 12)}[field[:4]]
    header = bytearray(raw[at : at + 512])
    header[place[0] : sum(place)] = field[5:].ljust(place[1], b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return raw[:at] + bytes(header) + raw[at + 512 :]


GOOD = packed(("a/1.png", FILE, b"1" * 2000), ("a/2.png", FILE, b"2" * 2000))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"no archive", "cannot unpack"),
        (b"", "cannot unpack"),
        (bz2.compress(GOOD), "cannot unpack"),
        (GOOD[:1000], "ends too early"),
        (GOOD[: 512 + 2048], "ends too early"),  # behind a whole file
        (GOOD[: 512 + 2048 + 200], "ends too early"),
        (GOOD[: 512 + 2048] + b"x" * 512 + GOOD[512 + 2048 + 512 :], "ends too early"),  # a header that is none
        (gzip.compress(GOOD, mtime=0)[:-9], "cannot unpack"),
        (gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8, "CRC"),
        (gzip.compress(GOOD[: 512 + 2048], mtime=0), "ends too early"),
        (number(GOOD, 0, b"size 77777777777"), "ends too early"),
        (number(GOOD, 0, b"size \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb\0"), "cannot unpack"),  # negative
        (packed(BOMB_MEMBER, pax={"size": "-512"}), "cannot unpack"),
        (packed(BOMB_MEMBER, pax={"size": "9" * 5000}), "cannot unpack"),
        (packed(BOMB_MEMBER, pax={"comment": "x" * 2_000_000}), "bytes of a single file, which is damaged"),
        (
            gzip.compress(number(packed(("a" * 200, FILE, b"1")), 0, b"size 77777777777"), mtime=0),
            "8,589,934,",
        ),  # of its name
    ],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    started = time.monotonic()
    for _ in range(2):
        with pytest.raises(UserError, match=f"{said}") as caught:
            unpack(tmp_path, raw)
        assert len(str(caught.value)) <= LONGEST_LINE
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["d.tar"]
    assert time.monotonic() - started < 5


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of a size that a test can pass."""
    monkeypatch.setattr(archive, "USUAL_BYTES", 2_000_000)
    monkeypatch.setattr(archive, "MOST_TIMES", 20)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "members",
    [
        [("a/1.png", FILE, bytes(4_000_000))],
        [(f"a/{number}.png", FILE, bytes(200_000)) for number in range(20)],
        [(f"a/{number}", FILE, b"") for number in range(600)],  # each takes a block of the disk
        [(f"a/{number}", FOLDER, "") for number in range(600)],
        [("a/1.png", LINK, "x" * 90)] * 600,
    ],
    ids=["large", "many", "empty", "folders", "links"],
)
def test_a_small_archive_that_unpacks_to_much_is_refused_while_it_does(tmp_path: Path, members: Any) -> None:
    raw = gzip.compress(packed(*members))
    assert len(raw) < 100_000
    with pytest.raises(UserError, match=r"unpacks to more than 2.0 MB, which no archive of images of its size does"):
        unpack(tmp_path, raw, "d.tar.gz")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["d.tar.gz"]


def test_an_archive_of_more_files_than_any_data_set_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 20)
    with pytest.raises(UserError, match=r"d\.tar holds more than 20 files; make several of it"):
        unpack(tmp_path, packed(*((f"a/{number}", FILE, b"") for number in range(21))))


@pytest.mark.usefixtures("small")
def test_a_large_archive_may_unpack_to_much(tmp_path: Path) -> None:
    content = os.urandom(200_000) + bytes(3_000_000)
    assert unpack(tmp_path, gzip.compress(packed(("a/1.png", FILE, content)))) == {"1.png": content}


def test_a_file_that_is_mostly_holes_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "9" * 14, "GNU.sparse.map": "0,1"}
    assert unpack(tmp_path, packed(("a/1.png", FILE, b"1"), pax=sparse)) == {}
    assert "entries that are links or no plain files: 1" in capsys.readouterr().out


def test_an_archive_that_takes_more_than_is_free_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mindzoo.utils.storage.archive.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 50_000})
    )
    with pytest.raises(UserError, match=r"d.tar takes more than the 50.0 kB that are free in .*copy; make room"):
        unpack(tmp_path, packed(("a/1.png", FILE, bytes(60_000))))


@pytest.mark.parametrize("name", ["x.zip", "X.ZIP", "x.tar.xz", "x.7z"])
def test_another_kind_of_archive_is_named(name: str) -> None:
    with pytest.raises(
        UserError, match=f"{name} is an archive of a kind that is not unpacked; wanted folders of images, or"
    ):
        archive.single([".DS_Store", name])
    for names in ([name, "a/1.png"], [f"a/{name}"]):
        assert archive.single(names) == ""


def test_an_archive_is_unpacked_where_it_is_alone() -> None:
    assert archive.single([".DS_Store", "d.tgz"]) == "d.tgz"
    for names in (["d.tar", "unpacked/a/1.png"], ["d.tar", "e.tar"], ["a/d.tar"], ["a.png"], []):
        assert archive.single(names) == ""
