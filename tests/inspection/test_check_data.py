"""mindzoo check-data: everything that can be wrong with a data folder is found, and a good one is called good."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import tempfile
import unicodedata
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import write_images
from mindzoo.utils.data import skip_list
from mindzoo.utils.data.look import look_at
from mindzoo.utils.inspection import pictures
from mindzoo.utils.inspection.findings import KINDS, Findings
from mindzoo.utils.inspection.survey import survey

CAFE = unicodedata.normalize("NFD", "café")
GBK = os.fsdecode("苹果.jpg".encode("gbk"))
ESCAPE = "a\x1b[31m\n.png"


def picture(path: Path, number: int, **more: Any) -> bytes:
    """A small picture that no other number has; its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **more)
    return path.read_bytes()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with one of everything, and the JSON of a look at it."""
    root = tmp_path_factory.mktemp("one_of_everything") / "data"
    number = 0
    for name, classes in {"train": ("cat", "dog", "café", "hollow"), "valid": ("cat", "dog")}.items():
        for folder in classes:
            for image in range(12 if folder == "cat" else 2):
                picture(root / name / folder / f"{image:02d}.png", number := number + 1)
    write_the_unreadable(root / "train" / "dog")
    for path in (root / "train" / "hollow").iterdir():
        path.write_bytes(bytes(100))  # R11
    write_odd_names(root)
    write_the_same(root)
    output = root.parent / "found.json"
    words = ["check-data", str(root), "--output", str(output), "--write-skip-list", str(root.parent / "bad.txt")]
    assert cli.main(words) == 1
    return root, json.loads(output.read_text(encoding="utf-8"))


def write_the_unreadable(folder: Path) -> None:
    content = picture(folder / "turned.jpg", 100, exif=orientation(6))
    (folder / "cut.jpg").write_bytes(content[:-300])
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:-300])
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_text("<html>not found</html>")
    (folder / "apple.png").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    Image.fromarray(np.ones((8, 8), np.float32)).save(folder / "float.tif")
    (folder / "huge.png").write_bytes(with_size((folder / "00.png").read_bytes(), 20_000, 20_000))
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "nowhere.png").symlink_to("/nowhere/x.png")
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket is short
        made.bind("socket.png")
        os.chdir(here)
    (folder / "inside").mkdir()
    (folder / "._00.png").write_bytes(b"\0\5\x16\7")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "Thumbs.db").touch()
    (folder / "notes.txt").touch()
    picture(folder / "photo", 101, format="JPEG")
    picture(folder / "in.jpg", 102, format="PNG")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))


def with_size(png: bytes, width: int, height: int) -> bytes:
    """The file with other numbers in its header."""
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def orientation(mark: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = mark
    return exif


def write_odd_names(root: Path) -> None:
    picture(root / "train" / "dog" / GBK, 110)
    picture(root / "train" / "dog" / "苹果.jpg", 111)
    picture(root / "train" / "dog" / ESCAPE, 112)
    picture(root / "train" / "dog" / "00.PNG", 113)
    picture(root / "train" / "dog" / f"{'x' * 240}.png", 114)
    picture(root / "train" / "Dog" / "00.png", 115)
    picture(root / "train" / "beside.png", 116)
    (root / "train" / "not mounted").symlink_to("/nowhere/folder")
    picture(root / "valid" / CAFE / "00.png", 117)
    picture(root / "valid" / "CAT" / "00.png", 118)
    picture(root / "valid" / "novel" / "00.png", 119)
    picture(root / "valid" / GBK / "00.png", 120)


def write_the_same(root: Path) -> None:
    cat = root / "train" / "cat"
    (root / "train" / "café" / "cat.png").write_bytes((cat / "00.png").read_bytes())
    (cat / "again.png").write_bytes((cat / "01.png").read_bytes())
    (root / "valid" / "cat" / "leak.png").write_bytes((cat / "02.png").read_bytes())


def entries(found: dict[str, Any], kind: str) -> dict[str, str]:
    """What was found of a kind: detail by name."""
    return {e["name"]: e["detail"] for one in found["findings"] if one["kind"] == kind for e in one["entries"]}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        # R1 to R3, R5, R8, R11, R14: what every command says of these files
        ("cut_off", {"train/dog/cut.jpg": "is cut off", "train/dog/cut.png": "is cut off"}),
        ("empty", {"train/dog/empty.jpg": "is empty", "train/hollow/00.png": "zeros", "train/hollow/01.png": "zeros"}),
        ("unsupported", {"train/dog/page.jpg": "HTML", "train/dog/apple.png": "macOS", "train/dog/float.tif": "float",
                         "train/dog/phone.heic": "is HEIC"}),
        ("too_large", {"train/dog/huge.png": "20000 x 20000 pixels"}),
        # R9
        ("not_a_file", {"train/not mounted": "leads nowhere", "train/dog/itself.png": "symbolic links",
                        "train/dog/nowhere.png": "leads nowhere", "train/dog/pipe.png": "pipe",
                        "train/dog/socket.png": "socket"}),
        ("not_utf8", {f"train/dog/{GBK}": "in gb18030 it is 苹果.jpg"}),
        ("not_utf8_class", {f"valid/{GBK}": "in gb18030 it is 苹果.jpg"}),
        ("long", {f"train/dog/{'x' * 240}.png": "characters"}),
        ("control", {f"train/dog/{ESCAPE}": ""}),
        # R7, R8
        ("hidden", {"train/dog/._00.png": "", "train/dog/.ipynb_checkpoints": "", "train/dog/Thumbs.db": ""}),
        ("others", {"train/dog/notes.txt": ""}),
        ("left_out", {"train/dog/photo": "is JPEG"}),
        ("other_suffix", {"train/dog/in.jpg": "is PNG"}),
        ("loose", {"train/beside.png": ""}),
        ("nested", {"train/dog/inside": ""}),
        # R10
        ("alike_splits", {f"valid/{CAFE}": "is train/café"}),
        ("alike_classes", {"train/dog": "and Dog differ in case", "valid/cat": "and CAT differ in case"}),
        ("alike_files", {"train/dog/00.png": "and 00.PNG differ in case", f"train/dog/{GBK}": "and 苹果.jpg differ in encoding"}),
        ("not_in_train", {"valid/CAT": "train has cat, which differs in case", "valid/novel": "", f"valid/{GBK}": ""}),
        ("only_in_train", {"train/Dog": "valid lacks it", "train/hollow": "valid lacks it"}),
        ("no_image", {"train/hollow": "none of its 2 can be read"}),
        ("one_image", dict.fromkeys(("train/Dog", f"valid/{CAFE}", "valid/CAT", "valid/novel", f"valid/{GBK}"), "")),
        ("imbalance", {"train": "cat has 13 images, Dog has 1: 13.0 times as many",
                       "valid": "cat has 13 images, CAT has 1: 13.0 times as many"}),
        # R6
        ("orientation", {"train/dog/turned.jpg": "mark 6"}),
        ("two_splits", {"train/cat/02.png": "is the same picture as valid/cat/leak.png"}),
        ("two_classes", {"train/café/cat.png": "is the same picture as train/cat/00.png"}),
        ("twice", {"train/cat/01.png": "is the same picture as train/cat/again.png"}),
    ],
)  # fmt: skip
def test_each_kind_is_found_and_nothing_else(
    found: tuple[Path, dict[str, Any]], kind: str, wanted: dict[str, str]
) -> None:
    names = entries(found[1], kind)
    assert names.keys() == wanted.keys()
    assert [name for name in wanted if wanted[name] not in names[name]] == []


def test_an_image_that_cannot_be_read_is_called_what_every_command_calls_it(found: tuple[Path, dict[str, Any]]) -> None:
    root, facts = found
    for kind in ("cut_off", "empty", "too_large"):
        for name, detail in entries(facts, kind).items():
            assert detail == look_at(root / name).fault


def test_the_sizes_are_those_that_can_be_read(found: tuple[Path, dict[str, Any]]) -> None:
    train, valid = found[1]["splits"]
    assert (train["folder"], train["split"], valid["folder"], valid["split"]) == ("train", "train", "valid", "val")
    assert train["classes"]["cat"] == {"images": 13, "readable": 13}
    assert train["classes"]["hollow"] == {"images": 2, "readable": 0}
    assert train["images"] - train["readable"] == 9
    assert valid["images"] == valid["readable"] == 19


def test_the_skip_list_holds_the_images_that_cannot_be_read(found: tuple[Path, dict[str, Any]]) -> None:
    root, facts = found
    skip = skip_list.read(root.parent / "bad.txt")
    bad = [
        name for kind in ("not_a_file", "cut_off", "empty", "unsupported", "too_large") for name in entries(facts, kind)
    ]
    assert skip.names == {*bad} - {"train/dog/phone.heic", "train/not mounted"}
    assert skip.holds("train", "dog/cut.jpg")
    assert not skip.holds("valid", "dog/cut.jpg")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("write_skip_list", "train/red/000.png"),
        ("write_skip_list", "bad.png"),
        ("plot", "train/red/plot.png"),
        ("output", "val/found.json"),
    ],
)
def test_nothing_is_written_among_the_images(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, place: str
) -> None:
    root = Path(shutil.copytree(colors, tmp_path / "data"))
    before = {path: path.read_bytes() for path in root.rglob("*.*")}
    assert cli.main(["check-data", str(root), f"--{key}", str(root / place)]) == 2
    assert f"{key} is {root / place}, which is among the images or called like one" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in root.rglob("*.*")} == before


def test_a_good_folder_is_called_good(colors: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folder in (colors, colors / "val"):
        assert cli.main(["check-data", str(folder)]) == 0
        out, err = capfd.readouterr()
        assert "nothing is wrong; looked at" in out.splitlines()[-1]
        assert "images/s" in out.splitlines()[-1]
        assert (err, "problem" in out) == ("", False)
    assert list(Path.cwd().iterdir()) == []  # R12


def test_kinds_that_are_read_leave_nothing_in_the_current_folder(tmp_path: Path) -> None:
    """R12, R15: WebP and GIF, and a file of a phone with odd metadata, are read in silence."""
    for number, name in enumerate(("a.webp", "b.gif", "c.jpe", "d.jfif", "e.tif", "f.bmp")):
        more = {"format": "JPEG"} if name.endswith(("jpe", "jfif")) else {}
        picture(tmp_path / "data" / "cat" / name, number, **more)
    assert cli.main(["check-data", str(tmp_path / "data")]) == 0
    assert list(Path.cwd().iterdir()) == []


def test_what_is_said_fits_a_terminal(found: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-data", str(found[0])]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 280
    assert r"train/dog/a\x1b[31m\n.png" in out
    assert "valid: 19 images of 6 classes\n  images per class: 1 to 13, median 1\n" in out


def test_many_findings_are_counted_and_the_first_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(9):
        picture(tmp_path / "data" / "cat" / f"{number}.png", number)
        (tmp_path / "data" / "cat" / f"bad{number}.png").touch()
    assert cli.main(["check-data", str(tmp_path / "data")]) == 1
    out = capsys.readouterr().out
    assert "problem        9  files that are empty, or hold zeros only\n" in out
    assert out.count("is empty: 0 bytes") == 5
    assert "and 4 more\n" in out
    assert "all names: --output FILE.json" in out
    assert "9 problems; looked at 18 images" in out


@pytest.mark.parametrize("names", [("train", "valid"), ("training", "validation"), ("train", "val", "test")])
def test_splits_are_known_by_their_names(
    tmp_path: Path, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """R13."""
    for number, name in enumerate(names):
        write_images(tmp_path / name / "cat", (250, 0, 0), 2, seed=number)
        write_images(tmp_path / name / "dog", (0, 0, 250), 2, seed=9 + number)
    (tmp_path / "cwd").rmdir()
    os.chdir(tmp_path)
    assert cli.main(["check-data", "."]) == 0
    out = capsys.readouterr().out
    assert [f"{name}: 4 images of 2 classes" in out for name in names] == [True] * len(names)


def test_a_file_or_folder_that_vanishes_is_named(tmp_path: Path) -> None:
    """R16."""
    for number in range(3):
        picture(tmp_path / "data" / "cat" / f"{number}.png", number)
        picture(tmp_path / "data" / "dog" / f"{number}.png", 9 + number)
    findings = Findings()
    splits = survey(tmp_path / "data", findings)
    (tmp_path / "data" / "cat" / "1.png").unlink()
    for path in (tmp_path / "data" / "dog").iterdir():
        path.unlink()
    (tmp_path / "data" / "dog").rmdir()
    pictures.look_through(splits, 2, findings)
    gone = {entry.name: entry.detail for entry in findings.of("not_a_file")}
    assert gone.keys() == {"data/cat/1.png", "data/dog/0.png", "data/dog/1.png", "data/dog/2.png"}
    assert {*gone.values()} == {"cannot be opened: No such file or directory"}


def test_a_class_folder_that_cannot_be_listed_is_named() -> None:
    findings, user = Findings(), os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # which other users reach
        root = Path(folder)
        root.chmod(0o755)
        picture(root / "cat" / "1.png", 1)
        (root / "dog").mkdir(mode=0)
        if user == 0:
            os.seteuid(65534)  # root may list every folder
        try:
            survey(root, findings)
        finally:
            os.seteuid(user)
    assert findings.of("unlisted") == [(f"{root.name}/dog", "Permission denied")]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("is damaged: its PNG data cannot be decoded", "damaged"),
        ("is damaged or of an unsupported kind: segment cb", "damaged"),
        ("has more than 100 scans", "damaged"),
        ("has more than 1024 MB; is it an image?", "too_large"),
        ("has far too many pixels", "too_large"),
        ("has 32-bit integer values, which have no scale; save it with 8 bits", "unsupported"),
        ("is PDF; JPEG, PNG, BMP, TIFF, WebP and GIF are read", "unsupported"),
        ("is no image; JPEG, PNG, BMP, TIFF, WebP and GIF are read", "unsupported"),
    ],
)
def test_other_faults_have_their_kinds(fault: str, kind: str) -> None:
    assert pictures.kind_of_fault(fault) == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "0 folders are given; wanted one"),
        (["data", "data"], "2 folders are given"),
        (["missing"], "the folder is missing, which is missing"),
        (["data/cat/1.png"], "the folder is data/cat/1.png, which is no folder"),
        (["data/cat"], "data/cat holds no folders; wanted one folder of images per class"),
        (["hollow"], "hollow holds folders (a) without images"),
        (["data", "--output", "x.txt"], "output is x.txt; wanted a name that ends in .json"),
        (["data", "--plot", "nowhere/x.png"], "plot is nowhere/x.png, and its folder is missing"),
        (["data", "--write_skip_list", "data"], "write_skip_list is data, which is a folder"),
        (["data", "--skip_list", "x"], "unknown flag --skip_list"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(capsys: pytest.CaptureFixture[str], words: list[str], wanted: str) -> None:
    picture(Path("data/cat/1.png"), 1)
    Path("hollow/a").mkdir(parents=True)
    assert cli.main(["check-data", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert wanted in err
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["data", "hollow"]


def test_the_page_lists_every_kind_with_its_level() -> None:
    rows = re.findall(
        r"^\| (`.+?`) \| (problem|note) \|", (ROOT / "docs" / "DATA.md").read_text(encoding="utf-8"), re.M
    )
    listed = {kind: level for names, level in rows for kind in re.findall(r"`(\w+)`", names)}
    assert listed == {name: kind.level for name, kind in KINDS.items()}
