"""RP2K's over-full class is sampled into a new data set, and the source stays as it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.data_set import find_split

SIZES = {"apple": 7, "bread": 3, "other": 30}


def prepare(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "prepare_rp2k.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def classes(root: Path, sizes: dict[str, int]) -> Path:
    """Class folders of images that all differ."""
    for number, (name, size) in enumerate(sizes.items()):
        (root / name).mkdir(parents=True)
        for image in range(size):
            Image.new("RGB", (4, 4), (number, image, 0)).save(root / name / f"{image:03d}.png")
    return root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return classes(tmp_path / "source", SIZES)


def files(root: Path) -> dict[str, str]:
    """Checksum by path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_only_other_is_sampled_and_the_source_stays(source: Path, tmp_path: Path) -> None:
    before = files(source)
    done = prepare(source, tmp_path / "target", "--keep", 10)
    assert done.returncode == 0, done.stderr
    found = files(tmp_path / "target")
    assert {name: len(list((tmp_path / "target" / name).iterdir())) for name in SIZES} == {**SIZES, "other": 10}
    assert found.items() <= before.items()
    assert files(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "source", "target", "target-classes.png"]
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755


def test_the_sample_is_the_seeds(source: Path, tmp_path: Path) -> None:
    kept = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert prepare(source, tmp_path / name, "--keep", 10, "--seed", seed).returncode == 0
        kept.append(files(tmp_path / name))
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]
    numbers = [int(Path(name).stem) for name in kept[0] if name.startswith("other")]
    assert numbers != list(range(10))  # not simply the first ones


def test_the_summary_is_printed_before_and_after(source: Path, tmp_path: Path) -> None:
    done = prepare(source, tmp_path / "target", "--keep", 10)
    lines = done.stdout.splitlines()
    assert lines[0] == f"before: {source}"
    assert lines[1] == (
        "  3 classes, 40 images; images per class: largest 30, smallest 3, median 7; imbalance ratio 10.0"
    )
    assert lines[2:7] == [
        "  images per class | classes",
        f"               2-4 | {40 * '#'} 1",
        f"               5-9 | {40 * '#'} 1",
        "             10-19 |  0",
        f"             20-49 | {40 * '#'} 1",
    ]
    after = lines.index(f"after: {tmp_path / 'target'}")
    assert lines[after + 1] == (
        "  3 classes, 20 images; images per class: largest 10, smallest 3, median 7; imbalance ratio 3.3"
    )


def test_the_plot_shows_both(source: Path, tmp_path: Path) -> None:
    assert prepare(source, tmp_path / "target", "--keep", 10, "--plot", tmp_path / "sizes.png").returncode == 0
    assert not (tmp_path / "target-classes.png").exists()
    pixels = np.asarray(Image.open(tmp_path / "sizes.png").convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0]) > 60
    left, right = np.split(blue, [blue.shape[1] // 2], axis=1)
    assert left.sum() > right.sum() > 1000


def test_train_is_sampled_and_test_becomes_val(tmp_path: Path) -> None:
    classes(tmp_path / "source" / "train", SIZES)
    classes(tmp_path / "source" / "test", {"apple": 2, "other": 15})
    done = prepare(tmp_path / "source", tmp_path / "target", "--keep", 10)
    assert done.returncode == 0, done.stderr
    train, val = (scan(find_split(str(tmp_path / "target"), part, "data_dir")) for part in ("train", "val"))
    assert np.bincount(train.labels).tolist() == [7, 3, 10]
    assert np.bincount(val.labels).tolist() == [2, 15]
    assert files(tmp_path / "target" / "val") == files(tmp_path / "source" / "test")


def test_val_stays_val(tmp_path: Path) -> None:
    for part in ("train", "val"):
        classes(tmp_path / "source" / part, SIZES)
    assert prepare(tmp_path / "source", tmp_path / "target", "--keep", 10).returncode == 0
    assert files(tmp_path / "target" / "val") == files(tmp_path / "source" / "val")


@pytest.mark.parametrize(
    ("flags", "linked", "line"),
    [
        ([], True, "40 hard links and 0 copies"),
        (["--link"], True, "40 hard links and 0 copies"),
        (["--copy"], False, "0 hard links and 40 copies"),
    ],
)
def test_links_and_copies(source: Path, tmp_path: Path, flags: list[str], linked: bool, line: str) -> None:
    done = prepare(source, tmp_path / "target", *flags)
    assert line in done.stdout
    assert "class other has 30 images, no more than the 2262 to keep: all are kept" in done.stdout
    assert files(tmp_path / "target") == files(source)
    image = "apple/000.png"
    assert (tmp_path / "target" / image).samefile(source / image) is linked


def test_an_image_that_is_a_symbolic_link_is_resolved(source: Path, tmp_path: Path) -> None:
    (source / "apple" / "000.png").rename(tmp_path / "elsewhere.png")
    (source / "apple" / "000.png").symlink_to("../../elsewhere.png")
    assert prepare(source, tmp_path / "deep" / "target").returncode == 0
    found = tmp_path / "deep" / "target" / "apple" / "000.png"
    assert not found.is_symlink()
    assert found.samefile(tmp_path / "elsewhere.png")


def test_another_name_for_the_class(source: Path, tmp_path: Path) -> None:
    assert prepare(source, tmp_path / "target", "--other", "apple", "--keep", 2).returncode == 0
    assert np.bincount(scan(tmp_path / "target").labels).tolist() == [2, 3, 30]


def test_an_empty_target_is_filled(source: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    assert prepare(source, tmp_path / "target").returncode == 0
    assert files(tmp_path / "target") == files(source)


def test_a_target_with_something_in_it_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine.txt").write_text("mine")
    refused(prepare(source, tmp_path / "target"), "holds something already")
    assert files(tmp_path / "target") == {"mine.txt": hashlib.sha256(b"mine").hexdigest()}


@pytest.mark.parametrize("inside", ["", "new", "apple/new", "../source/new"])
def test_a_target_inside_the_source_is_refused(source: Path, inside: str) -> None:
    before = files(source)
    refused(prepare(source, source / inside), "holds something already" if not inside else "inside SOURCE")
    assert files(source) == before


def test_a_missing_source(tmp_path: Path) -> None:
    refused(prepare(tmp_path / "none", tmp_path / "target"), "none, which is missing")
    (tmp_path / "file").touch()
    refused(prepare(tmp_path / "file", tmp_path / "target"), "file, which is no folder")


def test_no_class_of_that_name(source: Path, tmp_path: Path) -> None:
    refused(prepare(source, tmp_path / "target", "--other", "othr"), "no class othr (did you mean other?)")
    assert not (tmp_path / "target").exists()


def test_no_class_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(prepare(tmp_path / "empty", tmp_path / "target"), "no class folders")


@pytest.mark.parametrize("flags", [["--keep", "0"], ["--keep", "-3"], ["--seed", "-1"]])
def test_numbers_that_cannot_be(source: Path, tmp_path: Path, flags: list[str]) -> None:
    refused(prepare(source, tmp_path / "target", *flags), "wanted at least 1 and 0")


@pytest.mark.parametrize("plot", ["source/x.png", "target/x.png", "none/x.png", "x.jpg", "there.png"])
def test_a_plot_that_cannot_be_there(source: Path, tmp_path: Path, plot: str) -> None:
    (tmp_path / "there.png").write_text("mine")
    before = files(tmp_path)
    refused(prepare(source, tmp_path / "target", "--plot", tmp_path / plot), "wanted a new .png file")
    assert files(tmp_path) == before


def test_a_class_that_only_test_has_is_named(tmp_path: Path) -> None:
    classes(tmp_path / "source" / "train", SIZES)
    classes(tmp_path / "source" / "test", {"milk": 1})
    refused(prepare(tmp_path / "source", tmp_path / "target"), "milk")
    assert not (tmp_path / "target").exists()


def test_a_failure_on_the_way_leaves_nothing(source: Path, tmp_path: Path) -> None:
    (source / "bread" / "001.png").unlink()
    (source / "bread" / "001.png").symlink_to("gone.png")
    refused(prepare(source, tmp_path / "target"), "001.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "source"]


def test_both_ways_at_once(source: Path, tmp_path: Path) -> None:
    done = prepare(source, tmp_path / "target", "--link", "--copy")
    assert done.returncode == 2
    assert "not allowed with" in done.stderr
