"""A folder that is complete or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.utils.files import new_folder


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
