"""Images that are held out: how many of each class, which stay together, and what a file of names is good for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mindzoo.utils.data import held_out
from mindzoo.utils.data.class_folders import ClassFolders
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import HELD_OUT


def images(root: Path = Path("root"), *, left_out: dict[str, str] | None = None, **names: list[str]) -> ClassFolders:
    """Class folders that hold these files; nothing is read."""
    files = [f"{name}/{file}" for name, found in names.items() for file in found]
    labels = [label for label, found in enumerate(names.values()) for _ in found]
    return ClassFolders(root, tuple(names), tuple(files), np.array(labels, np.int32), left_out=left_out or {})


def numbered(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number:03d}.png" for number in range(count)]


def drawn(found: ClassFolders, share: float, seed: int = 1, group_by: str = "") -> ClassFolders:
    return found.parted(held_out.draw(found, share, seed, held_out.groups(found.files, group_by)[0]))[1]


def test_each_class_gives_its_share_but_never_all() -> None:
    """Of 100, 13, 4, 2 and 1 images a fifth, rounded: 20, 3, 1; at least one; and none of a single one."""
    found = images(a=numbered(100), b=numbered(13), c=numbered(4), d=numbered(2), e=numbered(1))
    assert np.bincount(drawn(found, 0.2).labels, minlength=5).tolist() == [20, 3, 1, 1, 0]
    assert np.bincount(drawn(found, 0.9).labels, minlength=5).tolist() == [90, 12, 3, 1, 0]
    train, held = found.parted(held_out.draw(found, 0.2, 1, np.arange(120)))
    assert {*train.files} | {*held.files} == {*found.files}
    assert not {*train.files} & {*held.files}
    assert train.classes == held.classes == found.classes


def test_the_seed_decides() -> None:
    found = images(a=numbered(50), b=numbered(50))
    assert drawn(found, 0.2, seed=3).files == drawn(found, 0.2, seed=3).files
    assert drawn(found, 0.2, seed=3).files != drawn(found, 0.2, seed=4).files


def test_every_image_is_drawn_as_often() -> None:
    """Over 400 seeds each of 10 images is among the 2 held out about 80 times; the standard deviation is 8."""
    found = images(a=numbered(10))
    times = Counter(name for seed in range(400) for name in drawn(found, 0.2, seed).files)
    assert sum(times.values()) == 800
    assert 50 < min(times.values()) <= max(times.values()) < 110


@pytest.mark.parametrize("group_by", ["_", r"^([^_]+)_\d+\.png$"])
def test_groups_stay_together(group_by: str) -> None:
    """Products with 1 to 6 pictures in two classes; some are in both, such as p3."""
    files = {
        name: [f"p{product}_{view}.png" for product in products for view in range(product % 6 + 1)]
        for name, products in {"a": range(40), "b": range(30, 60)}.items()
    }
    found = images(a=files["a"], b=files["b"])
    for seed in range(5):
        held = drawn(found, 0.25, seed, group_by)
        train = {*found.files} - {*held.files}
        parts = [{name.split("/")[1].split("_")[0] for name in names} for names in (train, held.files)]
        assert not parts[0] & parts[1]
        for label in (0, 1):
            share = (held.labels == label).sum() / (found.labels == label).sum()
            assert 0.2 <= share <= 0.3


def test_a_class_of_two_large_groups_gives_the_smaller_one() -> None:
    """A fifth of 10 images is 2: none of 6 and 4 is near that."""
    found = images(a=[*numbered(6, "x-"), *numbered(4, "y-")], b=numbered(10, "z"))
    assert [name for name in drawn(found, 0.2, group_by="-").files if name.startswith("a/")] == [
        f"a/{name}" for name in numbered(4, "y-")
    ]


def test_a_group_that_is_a_whole_class_stays_in_training() -> None:
    """s is all of a, and a part of b, so b gives others."""
    found = images(a=numbered(3, "s-"), b=[*numbered(3, "s-"), *numbered(7, "t")])
    for seed in range(5):
        held = drawn(found, 0.3, seed, "-")
        assert [*held.class_index] == ["b"]
        assert all("/t" in name for name in held.files)


def test_names_without_a_group_are_their_own() -> None:
    grouped, alone = held_out.groups(["a/x_1.png", "a/y.png", "b/x_2.png", "b/_3.png"], "_")
    assert grouped.tolist() == [0, 1, 0, 2]
    assert alone == 2


def test_nothing_to_hold_out() -> None:
    with pytest.raises(UserError, match=r"none of the 2 images of root can be held out: each class has one image"):
        drawn(images(a=["x.png"], b=["y.png"]), 0.5)


@pytest.mark.parametrize(
    ("group_by", "said"),
    [
        ("(", "no regular expression: missing"),
        ("(a)(b)", "with 2 groups; wanted one"),
        (r"\(a", "with 0 groups; wanted one"),
    ],
)
def test_a_wrong_expression_is_said(group_by: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        held_out.grouping(group_by)


def test_what_was_held_out_is_found_again(tmp_path: Path) -> None:
    """Whatever the folder is called by now, in another normalisation, with more images, and where one cannot be read."""
    found = images(tmp_path / "first", a=["caf\u00e9.png", 'odd "\n.png', "x.png"], b=numbered(4))
    held = found.parted(np.array([1, 1, 0, 0, 1, 1, 0], bool))[1]
    held_out.HeldOut(held, held.files).keep(tmp_path)
    now = images(
        tmp_path / "other",
        left_out={"b/001.png": "is damaged", "b/003.png": "is damaged"},
        a=["cafe\u0301.png", "more.png", 'odd "\n.png', "x.png"],
        b=["000.png", "002.png"],
    )
    again = held_out.only(now, held_out.read(tmp_path))
    assert again.files == ("a/cafe\u0301.png", 'a/odd "\n.png', "b/002.png")
    assert again.left_out == {"b/001.png": "is damaged"}
    assert held_out.read(tmp_path / HELD_OUT).names == held_out.read(tmp_path).names


def test_a_file_of_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wanted the folder of a run that was trained with val_split"):
        held_out.read(tmp_path)
    (tmp_path / HELD_OUT).write_text("a/000.png\nc/1.png\n")
    with pytest.raises(
        UserError, match=r"held_out.txt names 2 images, of which root lacks 1: c/1.png; give the folder"
    ):
        held_out.only(images(a=numbered(3)), held_out.read(tmp_path))
    (tmp_path / HELD_OUT).write_text("\n")
    with pytest.raises(UserError, match="names no image"):
        held_out.read(tmp_path)
    (tmp_path / HELD_OUT).write_text("hello\n")
    with pytest.raises(UserError, match=r"line 1 of held_out .+ is hello"):
        held_out.read(tmp_path)


def test_whether_a_folder_was_trained_on(tmp_path: Path) -> None:
    meta = {"config": {"val_split": 0.2, "data_dir": str(tmp_path)}}
    assert held_out.were_trained_on(meta, tmp_path)
    assert held_out.were_trained_on(meta, tmp_path / "train")
    assert not held_out.were_trained_on(meta, tmp_path / "val")
    assert not held_out.were_trained_on({"config": {**meta["config"], "val_split": 0.0}}, tmp_path)
    assert not held_out.were_trained_on({}, tmp_path)
