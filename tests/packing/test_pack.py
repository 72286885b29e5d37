"""`mindzoo pack`: what is written, what goes on after an interruption, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.tests.support.trainings import write_images
from mindzoo.utils.data import data_set, listing, pack_files, skip_list
from mindzoo.utils.errors import UserError
from mindzoo.utils.packing import shard_writer
from mindzoo.utils.packing.shard_writer import Row
from mindzoo.utils.training import run_lock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four megabytes in two classes, which make three shards of a megabyte or two; one image is no image."""
    for name, seed in (("cat", 1), ("dog", 2)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(6):
            pixels = np.random.default_rng((seed, number)).integers(0, 256, (400, 300, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.bmp")
    return tmp_path / "photos"


def digests(folder: Path) -> dict[str, str]:
    """Of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pack(root: Path, out: Path, *more: str) -> int:
    return cli.main(["pack", str(root), str(out), "--shard_mb", "1", "--workers", "2", *more])


def test_a_pack_is_whole_readable_and_the_same_each_time(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(root, tmp_path / "one") == 0
    said = capsys.readouterr().out
    assert "12 images of 2 classes in 4 shards" in said
    assert "wrote" in said
    assert not (tmp_path / "one.part").exists()
    for path in (tmp_path / "one").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert pack(root, tmp_path / "two") == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    copied = shutil.copytree(root, tmp_path / "copy" / root.name, copy_function=shutil.copyfile)
    assert pack(copied, tmp_path / "three") == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "three")
    assert cli.main(["pack", "--verify", str(tmp_path / "one")]) == 0
    assert "is as it was written: 12 images" in capsys.readouterr().out


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def pack_two_shards(root: Path, out: Path) -> None:
    """A run that is stopped in the third one."""
    write = shard_writer.write_shard

    def stopped(folder: Path, number: int, *more: object) -> list[tuple[str, int, int]]:
        if number == 2:
            raise KeyboardInterrupt
        return write(folder, number, *more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_writer, "write_shard", stopped)
        assert pack(root, out) == 130


def test_a_run_that_was_stopped_keeps_the_shards_that_are_whole(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped in the third shard; then one of those that were done is damaged."""
    assert pack(root, tmp_path / "wanted") == 0
    pack_two_shards(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    part = tmp_path / "out.part"
    assert sorted(path.name for path in part.glob("*.json")) == ["00000.json", "00001.json"]
    with open(part / "00001.mindrecord", "r+b") as file:
        file.seek(shard_writer.HEADER + 5000)
        file.write(b"other")
    (part / "00009.json").write_text("of an earlier run with smaller shards")
    kept = (part / "00000.mindrecord").stat().st_ino
    capsys.readouterr()
    assert pack(root, tmp_path / "out") == 0
    assert "in 4 shards, 1 of them made before" in capsys.readouterr().out
    assert (tmp_path / "out" / "00000.mindrecord").stat().st_ino == kept
    assert digests(tmp_path / "out") == digests(tmp_path / "wanted")


def test_images_that_changed_since_are_packed_anew(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where another one has its size and its time, as those that are copied over it may."""
    pack_two_shards(root, tmp_path / "out")
    image = root / "cat" / "1.bmp"
    before = image.stat()
    Image.new("RGB", (300, 400)).save(image)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert image.stat().st_size == before.st_size
    assert pack(root, tmp_path / "out") == 0
    assert "1 of them made before" in capsys.readouterr().out
    packed = data_set.open_set(tmp_path / "out")
    assert packed.content(1) == image.read_bytes()
    assert cli.main(["pack", "--verify", str(tmp_path / "out")]) == 0


def test_an_image_that_cannot_be_read_stops_or_is_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "dog" / "2.bmp").write_bytes((root / "dog" / "2.bmp").read_bytes()[:5000])
    (root / "dog" / "gone.png").symlink_to("nowhere")
    assert pack(root, tmp_path / "out") == 2
    assert f"{root}/dog/gone.png cannot be opened" in capsys.readouterr().err
    (root / "dog" / "gone.png").unlink()
    assert pack(root, tmp_path / "out") == 2
    assert f"{root}/dog/2.bmp is cut off" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (root / "dog" / "gone.png").symlink_to("nowhere")
    assert pack(root, tmp_path / "out", "--on_bad_image", "skip") == 0
    assert "uses 11 of 13 images: left out are" in capsys.readouterr().out
    listed = tmp_path / "out" / "skipped_images.txt"
    assert sorted(listed.read_text().split()) == ["photos/dog/2.bmp", "photos/dog/gone.png"]
    index = pack_files.read_index(tmp_path / "out")
    assert (index.images, sorted(index.left_out)) == (11, ["dog/2.bmp", "dog/gone.png"])
    folders = data_set.open_set(root, skip=skip_list.read(listed), stop=False)
    assert folders.files == data_set.open_set(tmp_path / "out").files
    assert pack(root, tmp_path / "again", "--skip_list", str(listed)) == 0
    assert data_set.open_set(tmp_path / "again").files == folders.files


def test_a_shard_may_lose_all_of_its_images_but_a_class_may_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / "data" / name, (0, 0, 0), 2)
    (tmp_path / "data" / "a" / "010.png").write_bytes(b"x" * (2 << 20))
    assert pack(tmp_path / "data", tmp_path / "out", "--on_bad_image", "skip") == 0
    (tmp_path / "data" / "a" / "000.png").write_bytes(b"x" * (2 << 20))
    assert pack(tmp_path / "data", tmp_path / "two", "--on_bad_image", "skip") == 0
    assert [shard.number for shard in pack_files.read_index(tmp_path / "two").shards] == [1, 2]
    assert len(data_set.open_set(tmp_path / "two")) == 3
    (tmp_path / "data" / "a" / "001.png").write_bytes(b"x")
    capsys.readouterr()
    assert pack(tmp_path / "data", tmp_path / "three", "--on_bad_image", "skip") == 2
    assert "class folder" in capsys.readouterr().err
    assert not (tmp_path / "three").exists()


def test_files_that_are_damaged_or_missing_are_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert pack(root, out) == 0
    with open(out / "00002.mindrecord", "r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"!")
    os.truncate(out / "00003.mindrecord", 1000)
    (out / "00001.mindrecord.db").unlink()
    (out / "00000.json").write_text("{}")
    capsys.readouterr()
    assert cli.main(["pack", "--verify", str(out)]) == 1
    *named, last = capsys.readouterr().out.splitlines()
    assert named == [
        f"{out}/00000.json is not what was written",
        f"{out}/00001.mindrecord.db is missing, or cannot be read",
        f"{out}/00002.mindrecord is not what was written",
        f"{out}/00003.mindrecord is not what was written",
    ]
    assert last == "4 files are damaged; copy the pack again, or make it again with mindzoo pack"


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_its_index_is_named(
    colors: Path, tmp_path: Path, split: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(colors, tmp_path / "out") == 0
    (tmp_path / "out" / split / listing.PACK_INDEX).unlink()
    assert cli.main(["pack", "--verify", str(tmp_path / "out")]) == 2
    assert "is no pack: mindzoo_pack.json is not there" in capsys.readouterr().err
    with pytest.raises(UserError, match=rf"out/{split} holds MindRecord files without mindzoo_pack.json, so it is no"):
        data_set.open_set(data_set.find_split(str(tmp_path / "out"), split, "data_dir"))


@pytest.mark.parametrize(
    ("lost", "said"), [("val", "it has train and no val or test;"), ("train", "it has val and no train;")]
)
def test_a_split_that_is_lost_is_said(
    colors: Path, tmp_path: Path, lost: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert pack(colors, out) == 0
    shutil.rmtree(out / lost)
    assert cli.main(["pack", "--verify", str(out)]) == 2
    assert f"verify is {out}, a pack of which a folder is missing: {said} copy" in capsys.readouterr().err
    with pytest.raises(UserError, match=f"data_dir is {out}, a pack of which a folder is missing: {said}"):
        data_set.find_split(str(out), "train", "data_dir")
    (rest,) = out.iterdir()
    assert cli.main(["pack", "--verify", str(rest)]) == 0


@pytest.fixture(scope="module")
def three(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of train, val and test."""
    folder = tmp_path_factory.mktemp("three")
    data = Path(shutil.copytree(colors, folder / "data"))
    shutil.copytree(data / "val", data / "test")
    assert pack(data, folder / "out") == 0
    return folder / "out"


@pytest.mark.parametrize(("lost", "left"), [("val", "train and test"), ("test", "train and val")])
def test_one_of_three_splits_that_is_lost_is_said(
    three: Path, tmp_path: Path, lost: str, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(three, tmp_path / "out"))
    assert data_set.find_split(str(out), "val", "data_dir") == out / "val"
    shutil.rmtree(out / lost)
    said = f"{out}, a pack of which a folder is missing: it has {left} and no {lost}; copy the pack again, or give"
    assert cli.main(["pack", "--verify", str(out)]) == 2
    assert f"verify is {said} {out / 'train'} alone" in capsys.readouterr().err
    (other,) = {"val", "test"} - {lost}
    for split, chosen in (("train", "train"), ("val", other)):
        with pytest.raises(UserError) as refused:
            data_set.find_split(str(out), split, "data_dir")
        assert str(refused.value) == f"data_dir is {said} {out / chosen} alone"
    for rest in ("train", other):
        assert data_set.find_split(str(out / rest), "train", "data_dir") == out / rest
        assert cli.main(["pack", "--verify", str(out / rest)]) == 0


def test_splits_may_be_called_otherwise_and_packed_one_by_one(three: Path, colors: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(three, tmp_path / "out"))
    (out / "val").rename(out / "validation")
    assert data_set.find_split(str(out), "val", "data_dir") == out / "validation"
    for split in ("train", "val"):
        assert pack(colors / split, tmp_path / "single" / split) == 0
    assert pack_files.read_index(tmp_path / "single" / "train").splits == ()
    assert data_set.find_split(str(tmp_path / "single"), "train", "data_dir") == tmp_path / "single" / "train"


def test_a_pack_whose_index_names_no_splits_is_read(three: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(three, tmp_path / "out"))
    shutil.rmtree(out / "test")
    for split in ("train", "val"):
        index = out / split / listing.PACK_INDEX
        content = json.loads(index.read_text())
        assert content.pop("splits") == ["train", "val", "test"]
        content.pop(pack_files.DIGEST)
        index.write_text(json.dumps({**content, pack_files.DIGEST: pack_files.digest(content)}))
    assert data_set.find_split(str(out), "train", "data_dir") == out / "train"
    assert cli.main(["pack", "--verify", str(out)]) == 0


def test_an_index_of_another_version_is_refused_with_what_helps(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(colors / "val", tmp_path / "out") == 0
    index = tmp_path / "out" / listing.PACK_INDEX
    content = json.loads(index.read_text())
    for version, wanted in (
        (2, "is of version 2 of packs, and this mindzoo reads 1; update mindzoo, or make the pack again with this one"),
        (0, "is of version 0 of packs, and this mindzoo reads 1; copy the pack again, or make it again"),
    ):
        index.write_text(json.dumps(content | {"version": version}))
        assert cli.main(["pack", "--verify", str(tmp_path / "out")]) == 2
        assert wanted in capsys.readouterr().err


@pytest.mark.parametrize("whole", [0, 1])
def test_an_error_leaves_only_shards_to_go_on_with(root: Path, tmp_path: Path, whole: int) -> None:
    """With a folder that was there before, and with folders that were made."""
    bad = root / "cat" / ("4.bmp" if whole else "1.bmp")  # of the second shard, or of the first
    bad.write_bytes(bad.read_bytes()[:5000])
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "there" / "out", tmp_path / "new" / "folder" / "out"):
        assert pack(root, out) == 2
        part = out.with_name("out.part")
        assert part.exists() == bool(whole)
        assert not part.joinpath(run_lock.NAME).exists()
    assert (tmp_path / "there").exists()
    assert (tmp_path / "new").exists() == bool(whole)


def test_what_cannot_be_packed_is_refused_in_a_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(root, tmp_path / "out") == 0
    capsys.readouterr()
    for words, wanted in (
        ([str(root)], "wanted DIR and OUT, or --verify OUT; found 1 folder"),
        ([str(tmp_path / "none"), str(tmp_path / "x")], "which is missing"),
        ([str(root), str(tmp_path / "out")], "which exists"),
        ([str(root), str(root / "out")], "among the images"),
        ([str(tmp_path / "out"), str(tmp_path / "x")], "which is a pack already"),
        (["--verify", str(root)], "is no pack"),
        ([str(root), "--verify", str(tmp_path / "x")], "do one after the other"),
    ):
        assert cli.main(["pack", *words]) == 2
        error = capsys.readouterr().err
        assert wanted in error
        assert error.count("\n") == 1
    assert cli.main(["check-data", str(tmp_path / "out")]) == 2
    assert "is a pack" in capsys.readouterr().err
    (tmp_path / "hollow" / "a").mkdir(parents=True)
    assert pack(tmp_path / "hollow", tmp_path / "x") == 2
    assert "holds no images" in capsys.readouterr().err
    assert not [*tmp_path.glob("x*")]


def test_two_runs_do_not_write_into_one_pack(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.part").mkdir()
    with run_lock.holding(tmp_path / "out.part"):
        assert pack(root, tmp_path / "out") == 2
    assert "is in use by" in capsys.readouterr().err
    assert pack(root, tmp_path / "out") == 0
    assert not (tmp_path / "out" / run_lock.NAME).exists()


@pytest.mark.parametrize(
    "foreign",
    ["notes.txt", "train/notes.txt", "writing/notes.txt", "photos/1.png", "00007.json/1.png", "test/old/1.json"],
)
@pytest.mark.parametrize("splits", [False, True])
def test_a_folder_with_files_of_others_is_left_as_it_is(
    root: Path, colors: Path, tmp_path: Path, foreign: str, splits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    pack_two_shards(root, tmp_path / "out")
    part = tmp_path / "out.part"
    (part / foreign).parent.mkdir(exist_ok=True, parents=True)
    (part / foreign).write_text("of somebody")
    before = digests(tmp_path)
    capsys.readouterr()
    assert pack(colors if splits else root, tmp_path / "out") == 2
    error = capsys.readouterr().err
    named = foreign if Path(foreign).parent.name in ("", "train", "writing") else str(Path(foreign).parent)
    assert error.startswith(f"error: {part} holds {named}, which is not of a pack that was begun")
    assert error.count("\n") == 1
    assert digests(tmp_path) == before


def test_a_link_to_a_folder_of_others_is_not_followed(root: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "mine", (0, 0, 0), 2)
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "train").symlink_to(tmp_path / "mine", target_is_directory=True)
    assert pack(root, tmp_path / "out") == 2
    assert len([*(tmp_path / "mine").iterdir()]) == 2


def test_splits_are_packed_together_or_not_at_all(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(colors, tmp_path / "colors"))
    (root / "val" / "red" / "zz.png").write_bytes(b"x")
    assert pack(root, tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()
    assert "val/red/zz.png" in capsys.readouterr().err
    (tmp_path / "out.part" / "test").mkdir()  # of an earlier run with this folder
    (root / "val" / "red" / "zz.png").unlink()
    assert pack(root, tmp_path / "out") == 0
    assert "1 of them made before" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train", "val"]


def test_a_shard_of_as_many_pages_as_there_may_be(tmp_path: Path) -> None:
    """Images of half a page and a byte: one in each."""
    page = shard_writer.page_size(1, shard_writer.MOST_PAGES << 16)
    assert page == 1 << 16
    rows = [Row(f"a/{number}.png", 0, bytes([number % 256]) * (page // 2)) for number in range(512)]
    assert len(shard_writer.write_shard(tmp_path, 0, rows, page)) == 512
    assert json.loads((tmp_path / "00000.mindrecord").read_bytes()[8:].split(b"\0", 1)[0])["page"][-1]["page_id"] > 500
