"""Names that differ in spelling only are found, whatever wrote them."""

from __future__ import annotations

import os
import unicodedata

import pytest

from mindzoo.utils.inspection import names

APPLE = "苹果.jpg"
CAFE, DECOMPOSED = "café", unicodedata.normalize("NFD", "café")


def in_bytes(text: str, encoding: str) -> str:
    """The name that a file system gives for the text in this encoding."""
    return os.fsdecode(text.encode(encoding))


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("IMG_1.JPG", "img_1.jpg", "case"),
        ("ÉCLAIR", "éclair", "case"),
        (CAFE, DECOMPOSED, "Unicode normalisation"),
        (CAFE.upper(), DECOMPOSED, "case and Unicode normalisation"),
        (APPLE, in_bytes(APPLE, "gbk"), "encoding"),
        ("りんご", in_bytes("りんご", "shift_jis"), "encoding"),
        (CAFE, in_bytes(CAFE, "latin-1"), "encoding"),
        (CAFE, CAFE.encode().decode("latin-1"), "encoding"),  # UTF-8 that was taken for Latin-1
        (APPLE, APPLE.encode("gbk").decode("cp437"), "encoding"),  # as unzip does with names of Windows
    ],
)
def test_names_that_are_alike_are_found(one: str, other: str, how: str) -> None:
    pairs = names.alike([one, "something else", other])
    assert len(pairs) >= 1
    assert all({*pair} == {one, other} for pair in pairs)
    assert names.difference(one, other) == how


def test_other_names_are_not_alike() -> None:
    listed = [
        "cat",
        "cats",
        "dog",
        CAFE,
        "cafe",
        APPLE,
        "梨.jpg",
        "りんご",
        in_bytes("梨子", "gbk"),
        "a b",
        "a_b",
        "ab",
    ]
    assert names.alike(listed) == []


def test_a_name_in_another_encoding_is_read() -> None:
    assert names.in_words(in_bytes(APPLE, "gbk")) == f"in gb18030 it is {APPLE}"
    assert names.in_words(in_bytes(CAFE, "latin-1")) == f"in cp1252 it is {CAFE}"


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "a\u202eb"])
def test_control_characters_are_seen(name: str) -> None:
    assert names.has_control_characters(name)
    assert not names.has_control_characters(APPLE)
