"""Class folders: what is read, and what is said where something is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from mindzoo.utils import log
from mindzoo.utils.data import skip_list
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.data_set import compare_sibling, find_split
from mindzoo.utils.data.listing import SUFFIXES, split_folders
from mindzoo.utils.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "data set"
    folder.mkdir()
    return folder


def touch(root: Path, *names: str) -> Path:
    """Empty files: `scan` looks at names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def scan_error(root: Path, classes: Sequence[str] | None = None) -> str:
    with pytest.raises(UserError) as caught:
        scan(root, classes)
    return str(caught.value).replace(str(root), "ROOT")


def split_error(path: str) -> str:
    with pytest.raises(UserError) as caught:
        find_split(path, "train", "data_dir")
    return str(caught.value)


def test_a_folder_that_was_not_given() -> None:
    assert split_error("") == (
        "data_dir is not given; wanted a folder with one folder of images per class: --data_dir FOLDER"
    )


def test_a_folder_that_is_missing(root: Path) -> None:
    assert split_error(str(root / "no")) == f"data_dir is {root / 'no'}, which is missing"


def test_a_folder_that_is_a_file(root: Path) -> None:
    touch(root, "data.zip")
    assert split_error(str(root / "data.zip")) == f"data_dir is {root / 'data.zip'}, which is not a folder"


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_root_stands_for_its_split(root: Path, split: str) -> None:
    touch(root, "train/a/1.png", "val/a/1.png", "README.txt")
    assert find_split(str(root), split, "data_dir") == root / split
    assert find_split(str(root / split), split, "data_dir") == root / split


@pytest.mark.parametrize("names", [["train/1.png"], ["train/1.png", "val/1.png", "test/1.png"], ["a/1.png"]])
def test_other_folders_are_classes(root: Path, names: list[str]) -> None:
    touch(root, *names)
    assert split_folders(root) == {}
    assert find_split(str(root), "train", "data_dir") == root
    assert scan(root).classes == tuple(sorted(Path(name).parent.name for name in names))


@pytest.mark.parametrize("names", [("train", "valid", "test"), ("training", "validation"), ("train", "val")])
def test_a_root_is_known_by_any_spelling_of_its_splits(root: Path, names: tuple[str, ...]) -> None:
    touch(root, *(f"{name}/a/1.png" for name in names), ".cache/x", "__MACOSX/train/a/1.png")
    assert find_split(str(root), "train", "data_dir") == root / names[0]
    assert find_split(str(root), "val", "data_dir") == root / names[1]


def test_a_root_without_validation_is_evaluated_on_its_test(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(root, "train/a/1.png", "test/a/1.png")
    log.start()
    assert find_split(str(root), "val", "data_dir") == root / "test"
    log.stop()
    assert capsys.readouterr().out == f"{root} has no folder val: test is used\n"


@pytest.mark.parametrize(
    "name", ["._1.png", ".ipynb_checkpoints/1-checkpoint.png", "@eaDir/1.png", ".hidden.png/x.png"]
)
def test_hidden_entries_of_a_class_are_left_alone(root: Path, name: str) -> None:
    """R7: what macOS, notebooks and network disks leave among people's files."""
    touch(root, "a/1.png", f"a/{name}", f"{name.split('/')[0]}/a.png" if "/" in name else "b/2.png")
    assert [file for file in scan(root).files if file.startswith("a/")] == ["a/1.png"]


@pytest.mark.parametrize("kind", ["dangling", "itself", "pipe"])
def test_what_is_named_like_an_image_and_is_no_file(root: Path, kind: str) -> None:
    """R9; a pipe would be waited for without end."""
    touch(root, "a/1.png", "b/1.png")
    odd = root / "a" / "0.png"
    os.mkfifo(odd) if kind == "pipe" else odd.symlink_to("/nowhere" if kind == "dangling" else odd)
    said = {
        "dangling": "cannot be opened: No such file or directory (a link that leads nowhere)",
        "itself": "cannot be opened: Too many levels of symbolic links (a link that leads nowhere)",
        "pipe": "is no file, but a pipe, a socket or a device",
    }[kind]
    assert scan_error(root) == f"ROOT/a/0.png {said}; remove it, or leave out such files: --on_bad_image skip"
    named = skip_list.SkipList(root, frozenset(["data set/a/0.png"]))
    for found in (scan(root, stop=False), scan(root, None, named)):
        assert found.files == ("a/1.png", "b/1.png")
        assert found.left_out == {"a/0.png": said}


def test_a_skip_list_knows_the_folder_by_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(touch(root, "a/1.png", "a/2.png"))
    skip = skip_list.SkipList(root, frozenset(["data set/a/1.png"]))
    for given in (Path(), Path("a/..")):
        assert scan(given, None, skip).files == ("a/2.png",)


def test_a_class_whose_name_is_not_utf8(root: Path) -> None:
    touch(root, "a/1.png")
    (root / os.fsdecode(b"\xc4\xe3")).mkdir()
    assert scan_error(root) == "the class folder ROOT/\\xc4\\xe3 has a name that is not UTF-8; rename it"


def test_names_that_differ_in_normalisation_only_are_one_class(root: Path) -> None:
    """R10: macOS writes e and an accent where Linux writes one character."""
    one, two = "caf\u00e9", "cafe\u0301"
    touch(root, f"train/{one}/1.png", "train/b/1.png", f"val/{two}/1.png")
    train = scan(root / "train")
    val = scan(root / "val", train.classes)
    assert val.classes == train.classes
    assert val.labels.tolist() == [train.classes.index(one)]
    assert val.class_index == {two: train.classes.index(one)}
    touch(root, f"train/{two}/2.png")
    assert "which are one name written in two ways" in scan_error(root / "train")


def test_a_class_in_another_case_is_named(root: Path) -> None:
    touch(root, "A/1.png")
    assert scan_error(root, ["a", "b"]).endswith("the 2 classes of training are a, b; a differs in case only")


def test_a_skip_list_leaves_out_what_it_names(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(root, "train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/3 .png", "val/a/1.png")
    skip_list.write(root / "skip.txt", ["train/a/1.png", "b/3 .png", "val/a/9.png"])
    skip = skip_list.read(root / "skip.txt")
    log.start()
    found = scan(root / "train", None, skip)
    log.stop()
    assert found.files == ("a/2.png", "b/1.png")
    assert found.labels.tolist() == [0, 1]
    assert capsys.readouterr().out.endswith(f"2 of its 3 names are images of {root / 'train'}\n")
    assert scan(root / "val", None, skip).files == ("a/1.png",)
    with pytest.raises(UserError, match=r"class folder .+/a holds no image that can be used: a/1.png is in "):
        scan(root / "train", None, skip_list.SkipList(root, frozenset(["a/1.png", "a/2.png"])))


@pytest.mark.parametrize(
    "name", ["x/a/\n.png", 'x/"a"/1.png', "x/ä ü/犬.png", "x/a/\udcc4.png", "x/a/ 1.png", '"x"/a/1.png']
)
def test_a_skip_list_holds_any_name(root: Path, name: str) -> None:
    skip_list.write(root / "skip.txt", [name, "x/a/2.png"])
    assert skip_list.read(root / "skip.txt").names == {name, "x/a/2.png"}


def test_a_skip_list_of_another_system_is_good_here(root: Path) -> None:
    """macOS writes an accent as a character of its own."""
    apart, whole = "e\u0301", "\u00e9"
    for listed, name in ((apart, whole), (whole, apart)):
        skip_list.write(root / "skip.txt", [f"x/a/{listed}.png"])
        assert skip_list.read(root / "skip.txt").holds("x", f"a/{name}.png")


def test_an_editor_may_mark_the_beginning_of_a_skip_list(root: Path) -> None:
    (root / "skip.txt").write_bytes(b"\xef\xbb\xbfa/1.png\r\n")
    assert skip_list.read(root / "skip.txt").names == {"a/1.png"}


@pytest.mark.parametrize("line", ["/etc/passwd", "1.png"])
def test_a_line_that_names_no_image_of_a_class(root: Path, line: str) -> None:
    (root / "skip.txt").write_text(f"\na/b.png\r\n{line}\n")
    with pytest.raises(UserError, match=rf"^line 3 of skip_list .+ is {line}; wanted FOLDER/class/file"):
        skip_list.read(root / "skip.txt")


def test_files_and_labels_are_sorted_by_class_then_name(root: Path) -> None:
    touch(root, "b/2.png", "b/10.png", "a b/x.jpg", "a/y.jpeg", "a/x.bmp", "notes.txt")
    found = scan(root)
    assert found.root == root
    assert found.classes == ("a", "a b", "b")
    assert found.files == ("a/x.bmp", "a/y.jpeg", "a b/x.jpg", "b/10.png", "b/2.png")
    assert found.labels.tolist() == [0, 0, 1, 2, 2]
    assert str(found.labels.dtype) == "int32"
    assert len(found) == 5
    assert found.class_index == {"a": 0, "a b": 1, "b": 2}


def test_no_class_folders(root: Path) -> None:
    touch(root, "notes.txt")
    assert scan_error(root) == (
        "ROOT holds no class folders; wanted one folder per class with its images inside: sort them by class first"
    )


def test_images_without_class_folders(root: Path) -> None:
    touch(root, "1.png", "2.JPG", "notes.txt")
    assert scan_error(root) == (
        "ROOT holds 2 images and no class folders; wanted one folder per class with its images inside: "
        "sort them by class first"
    )


def test_an_empty_class(root: Path) -> None:
    touch(root, "a/1.png")
    (root / "b").mkdir()
    assert scan_error(root) == (
        f"class folder ROOT/b holds no images ({', '.join(SUFFIXES)}); add some or remove the folder"
    )


def test_a_class_of_unreadable_formats_only(root: Path) -> None:
    touch(root, "a/1.heic", "a/2.PSD")
    assert scan_error(root) == (
        f"class folder ROOT/a holds no images ({', '.join(SUFFIXES)}), only 1.heic, 2.PSD; add some or remove the folder"
    )


def test_a_folder_inside_a_class(root: Path) -> None:
    touch(root, "a/1.png", "a/more/2.png")
    assert (
        scan_error(root)
        == "the class folder ROOT/a holds the folder more; wanted images only: give the folder whose folders are the classes, or move this one away"
    )


def test_classes_that_training_lacks(root: Path) -> None:
    touch(root, "a/1.png", "c/1.png", "d/1.png")
    assert scan_error(root, ["a", "b"]) == (
        "ROOT has 2 class folders that training lacks: c, d; the 2 classes of training are a, b"
    )


def test_data_of_one_class_is_warned_of(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    scan(touch(root, "a/1.png"))
    assert capsys.readouterr().out == f"{root} has one class folder, a: there is nothing to tell it from\n"
    scan(root, ["a", "b"])
    assert "nothing" not in capsys.readouterr().out


def test_a_class_that_validation_lacks_keeps_the_labels(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(root, "a/1.png", "c/1.png")
    log.start()
    found = scan(root, ["a", "b", "c"])
    log.stop()
    assert capsys.readouterr().out == f"{root} lacks 1 of the 3 classes: b\n"
    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [0, 2]
    assert found.class_index == {"a": 0, "c": 2}


def test_labels_follow_the_order_of_training_not_of_names(root: Path) -> None:
    touch(root, "a/1.png", "b/1.png", "b/2.png")
    found = scan(root, ["b", "a"])
    assert found.files == ("a/1.png", "b/1.png", "b/2.png")
    assert found.labels.tolist() == [1, 0, 0]
    assert found.class_index == {"b": 0, "a": 1}


def test_what_is_left_out_for_its_name_is_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """R8: a file without a suffix, for one, was left out without a word."""
    touch(root, "a/1.png", "a/2", "b/1.jfif", "b/3.HEIC", "b/.DS_Store", "b/._1.jfif", "b/Thumbs.db")
    log.start()
    found = scan(root)
    log.stop()
    assert found.files == ("a/1.png", "b/1.jfif")
    assert capsys.readouterr().out == f"left out 2 files of {root} without the suffix of an image: a/2, b/3.HEIC\n"


def test_unicode_names_and_upper_case_suffixes(root: Path) -> None:
    touch(root, "犬/ü.JPG", "犬/é ñ.png", "猫 1/日本.JpEg", "猫 1/x.TIF")
    found = scan(root)
    assert found.classes == ("犬", "猫 1")
    assert found.files == ("犬/é ñ.png", "犬/ü.JPG", "猫 1/x.TIF", "猫 1/日本.JpEg")


def test_every_suffix_counts_in_any_case(root: Path) -> None:
    names = [f"a/{number}{suffix}" for number, suffix in enumerate([*SUFFIXES, *(s.upper() for s in SUFFIXES)])]
    assert len(scan(touch(root, *names))) == len(names) == 20


def test_a_sibling_with_another_class_is_refused(root: Path) -> None:
    touch(root, "train/a/1.png", "train/b/1.png", "val/a/1.png", "val/c/1.png")
    with pytest.raises(UserError) as caught:
        compare_sibling(scan(root / "train"))
    assert str(caught.value) == (
        f"{root / 'val'} has 1 class folder that training lacks: c; the 2 classes of training are a, b"
    )


def test_a_flat_sibling_is_refused(root: Path) -> None:
    touch(root, "train/a/1.png", "val/1.png")
    with pytest.raises(UserError, match=r"val holds 1 image and no class folders"):
        compare_sibling(scan(root / "train"))


@pytest.mark.parametrize("names", [["train/a/1.png"], ["train/a/1.png", "val/a/1.png"]])
def test_a_sibling_that_fits_or_is_not_there(root: Path, names: list[str]) -> None:
    touch(root, *names)
    compare_sibling(scan(root / "train"))


def test_what_is_odd_in_a_sibling_is_left_to_the_evaluation_to_say(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(root, "train/a/1.png", "train/b/1.png", "val/a/1.png", "val/a/notes.txt")
    train = scan(root / "train")
    log.start()
    compare_sibling(train)
    log.stop()
    assert not capsys.readouterr().out


def test_a_training_folder_called_val_is_not_its_own_sibling(root: Path) -> None:
    touch(root, "val/a/1.png")
    link = root / "link"
    link.symlink_to(root / "val", target_is_directory=True)
    compare_sibling(scan(link))
