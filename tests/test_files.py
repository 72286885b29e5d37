"""A file or folder that is complete or not there, and places that cannot be written to."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_file, check_folder, new_folder, whole_file, write_json


def test_the_folder_is_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "above" / "made"
    with new_folder(target) as unfinished:
        (unfinished / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["made"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    parent = tmp_path / "above"
    with pytest.raises(FileNotFoundError), new_folder(parent / "made") as unfinished:
        (unfinished / "none" / "file").touch()
    assert list(parent.iterdir()) == []


def test_an_empty_folder_is_taken_and_a_full_one_kept(tmp_path: Path) -> None:
    parent = tmp_path / "above"
    for name in ("empty", "full"):
        (parent / name).mkdir(parents=True)
    (parent / "full" / "mine").touch()
    with new_folder(parent / "empty") as unfinished:
        (unfinished / "file").touch()
    with pytest.raises(OSError, match="not empty"), new_folder(parent / "full"):
        pass
    assert [path.name for path in sorted(parent.rglob("*"))] == ["empty", "file", "full", "mine"]


def test_an_error_leaves_the_file_that_was_there_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("mine")
    with contextlib.suppress(InterruptedError), whole_file(target) as unfinished:
        unfinished.touch()
        unfinished.with_suffix(".tmp").touch()  # as MindSpore's writer of checkpoints does
        raise InterruptedError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir() if path.is_file()] == [("a.json", "mine")]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    for target in (tmp_path / ("n" * 250 + ".json"), tmp_path / ("图" * 83 + ".json")):
        with whole_file(target) as unfinished:
            unfinished.touch()
    with new_folder(tmp_path / ("n" * 255)):
        pass
    assert len(list(tmp_path.iterdir())) == 1 + 3  # the current folder too


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.txt", "key is .*x.txt; wanted a name that ends in .json$"),
        ("none/x.json", "key is .*, and its folder is missing; make it first$"),
        ("file/x.json", "key is .*, and its folder is missing; make it first$"),
        ("folder.json", "key is .*, which is a folder; wanted a file$"),
        ("there.json", "there.json exists; give another key, or --overwrite$"),
        ("n" * 251 + ".json", "cannot write .*: File name too long$"),
        ("n" * 247 + ".json", "cannot write .*: File name too long$"),  # that of what goes beside it
        ("/proc/x.json", "cannot write /proc/x.json: No such file or directory$"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.json").mkdir()
    for there in ("file", "there.json"):
        (tmp_path / there).touch()
    with pytest.raises(UserError, match=said):
        check_file("key", tmp_path / name, (".json",), overwrite=False, beside=[".part"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "file", "folder.json", "there.json"]


def test_a_folder_that_is_to_be_made_is_checked_where_the_first_one_above_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_folder("key", tmp_path / "a" / "b")
    with pytest.raises(UserError, match=r"cannot write into key .*/file/b: Not a directory$"):
        check_folder("key", tmp_path / "file" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "file"]


def test_json_is_utf8_whatever_names_are_in_it(tmp_path: Path) -> None:
    content = {"苹果": [os.fsdecode(b"\xc6\xbb\xb9\xfb.jpg"), "\\udcc6", "a\nb"]}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "苹果" in text
    assert json.loads(text) == content
