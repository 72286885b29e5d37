"""Files of class names, and the order of class folders where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.utils.data.class_names import read_class_names
from mindzoo.utils.data.data_set import guess_order
from mindzoo.utils.errors import UserError


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "cat\nwild dog\n图\n"),
        ("a.txt", "cat\r\nwild dog \r\n图\r\n\r\n"),
        ("a.csv", "\ufeffcat\nwild dog\n图"),
        ("a.json", '["cat", "wild dog", "图"]'),
    ],
)
def test_one_name_a_line_or_a_json_list(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert read_class_names(tmp_path / name, 3) == ["cat", "wild dog", "图"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.txt", None, "classes is .*none.txt, which is missing; wanted a file$"),
        ("a.txt", b"", "a.txt is empty; wanted 3 names, one for each output of the network$"),
        ("a.txt", b"a\nb\n", "a.txt has 2 names; wanted 3 names, one for each output of the network$"),
        ("a.txt", b"a\n\nb\nc\n", "line 2 of .*a.txt is empty; wanted a class name in each$"),
        ("a.txt", b"a\nb\na\n", "a.txt has the name a twice, line 1 and 3; make them different$"),
        ("a.txt", b"a\nb\n\xff\n", "a.txt is not text in UTF-8; wanted 3 names"),
        ("a.json", b'{"0": "a"}', r'a.json holds no list of texts; wanted JSON such as \["cat", "dog"\]$'),
        ("a.json", b"[1, 2, 3]", "a.json holds no list of texts"),
        ("a.json", b"[" * 100_000, "a.json nests more than 50 levels deep; wanted JSON such as"),
        ("a.json", b"[" + b"9" * 5000 + b"]", "a.json holds a number of 5,000 characters; wanted JSON such as"),
        ("a.json", b'["a", "b"', r"a.json is not JSON: .* at line 1, column 10; wanted JSON such as"),
        ("a.txt", b"x" * 10_000_001, "a.txt has more than 10,000,000 bytes; is it another file"),
        ("a.json", b'["a", "", "c"]', "entry 2 of .*a.json is empty"),
    ],
)
def test_what_is_wrong_with_a_file_of_names_is_said(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_class_names(tmp_path / name, 3)


@pytest.mark.parametrize(
    ("folders", "outputs", "wanted", "how"),
    [
        ("0 1 10 11 2 3 4 5 6 7 8 9", 12, "0 1 2 3 4 5 6 7 8 9 10 11", "by the numbers that they are called"),
        ("3 10", 12, "0 1 2 3 4 5 6 7 8 9 10 11", "by the numbers that they are called"),
        ("00 01 02", 3, "00 01 02", "by the numbers that they are called"),
        ("1 2 3 10", 4, "1 2 3 10", "in the order of their numbers"),
        ("1 01 2", 3, "01 1 2", "in the order of their names"),
        ("1 10 2 dog", 4, "1 10 2 dog", "in the order of their names"),
        ("b a", 2, "a b", "in the order of their names"),
        ("", 2, "", "in the order of their names"),
    ],
)
def test_numbered_folders_are_the_outputs_of_these_numbers(
    tmp_path: Path, folders: str, outputs: int, wanted: str, how: str
) -> None:
    """As `predict` names them: folder 10 is output 10."""
    for name in folders.split():
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "root").mkdir(exist_ok=True)
    assert guess_order(tmp_path / "root", outputs) == (wanted.split(), how)
