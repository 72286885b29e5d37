"""JSON that somebody else wrote: read soon, or refused in a sentence."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from mindzoo.utils.config.json_file import DEEPEST, MOST_BYTES, parse_json, read_json
from mindzoo.utils.errors import LONGEST_LINE, UserError


def read(path: Path, text: str | bytes, **more: str) -> object:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_json(path, "table", "make it again", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", [[], {}, None, 1, -0.5, 2**64, "ü", {"a": [1, {"b": True}]}, [[]] * 9, "\U0001f600"]
)
def test_what_is_json_is_read_as_json_does(tmp_path: Path, content: object) -> None:
    for text in (json.dumps(content), f"\ufeff{json.dumps(content)}\r\n"):
        assert read(tmp_path / "t.json", text) == content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table {} is empty; make it again"),
        (" \r\n\t", "the table {} is empty; make it again"),
        ("\ufeff", "the table {} is empty"),
        ('{"a": 1,}', "the table {} is not JSON: "),
        ("[1] [2]", "the table {} is not JSON: Extra data at line 1, column 5"),
        ("[" * 2_000_000, f"the table {{}} nests more than {DEEPEST} levels deep"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"the table {{}} nests more than {DEEPEST} levels deep"),
        ('{"a":' * 500 + "1" + "}" * 500, f"the table {{}} nests more than {DEEPEST} levels deep"),
        ("9" * 5000, "the table {} holds a number of 5,000 characters"),
        ("[-0." + "1" * 200_000 + "]", "the table {} holds a number of 200,003 characters"),
        ("1e999", "the table {} holds the number 1e999, which is too large"),
        ('{"a": NaN}', "the table {} holds NaN, which is no number in JSON"),
        ("[-Infinity]", "the table {} holds -Infinity, which is no number in JSON"),
        ('{"a\\u0007": 1, "a\\u0007": 2}', 'the table {} holds the key "a\\x07" twice'),
        (b"\xff\xfe[\0]\0", "the table {} is not text in UTF-8"),
        ('["\\ud800"]', "the table {} holds half of a character, a lone surrogate; make it again"),
        (b'["\xe9"]', "the table {} is not text in UTF-8"),
        (" " * (MOST_BYTES + 1), "the table {} has more than 10,000,000 bytes; is it another file? make it again"),
    ],
)
def test_what_no_file_of_ours_needs_is_refused_at_once(tmp_path: Path, text: str | bytes, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        read(tmp_path / "t.json", text)
    assert str(caught.value).startswith(said.format(tmp_path / "t.json"))
    assert len(str(caught.value)) <= LONGEST_LINE
    assert time.monotonic() - started < 5


def test_as_deep_as_it_may_be(tmp_path: Path) -> None:
    assert read(tmp_path / "t.json", "[" * DEEPEST + "]" * DEEPEST) is not None


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", "there is no table"),
        (tmp_path, "cannot read the table .*: Is a directory"),
    ):
        with pytest.raises(UserError, match=said):
            read_json(path, "table", "make it again")
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(UserError, match="is no file, but a pipe or a device"):
            read_json(path, "table", "make it again")


def test_names_of_files_keep_their_bytes(tmp_path: Path) -> None:
    assert read(tmp_path / "t.json", b'["\xe9", "\\udce9"]', errors="surrogateescape") == ["\udce9", "\udce9"]


def test_a_line_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="is not JSON: Expecting value at line 1, column 1"):
        parse_json("x")
