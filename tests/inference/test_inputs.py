"""Which images a command line means."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.image_kinds import png
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.inference import inputs


class Piped(io.TextIOWrapper):
    """Standard input that is no terminal, with these bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "p/b.jpg",
        "p/a.JPG",
        "p/sub/c.png",
        "p/notes.txt",
        "p/Thumbs.db",
        "p/@eaDir/t.jpg",
        "p/x[1].jpg",
        "p/x1.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(*given: str) -> list[str]:
    return [image.name for image in inputs.given_images(given)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("p/*.jpg", ["p/b.jpg", "p/x1.jpg", "p/x[1].jpg"]),
        ("p/?.*", ["p/a.JPG", "p/b.jpg"]),
        ("p/x[1].jpg", ["p/x[1].jpg"]),  # the file of that name, not the pattern
        ("p/x[12].jpg", ["p/x1.jpg"]),
        ("p/**/*.png", ["p/sub/c.png"]),
        ("p/**", ["p/a.JPG", "p/b.jpg", "p/sub/c.png", "p/x1.jpg", "p/x[1].jpg"]),
        ("p/s*", ["p/sub/c.png"]),  # a folder
    ],
)
def test_patterns(photos: Path, pattern: str, found: list[str]) -> None:
    assert names(pattern) == found
    assert names(str(photos / pattern)) == [str(photos / name) for name in found]


def test_what_is_given_twice_stays_twice_and_in_its_order(photos: Path) -> None:
    assert names("p/sub/c.png", "p/b.jpg", "p/sub", "p/b.jpg") == ["p/sub/c.png", "p/b.jpg", "p/sub/c.png", "p/b.jpg"]


@pytest.mark.parametrize("content", [b"p/b.jpg\n\np/x[1].jpg\n", b"p/b.jpg\r\np/x[1].jpg", b"p/b.jpg\0p/x[1].jpg\0"])
def test_a_list_on_standard_input(photos: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", Piped(content))
    assert names("p/a.JPG", "-", "p/sub") == ["p/a.JPG", "p/b.jpg", "p/x[1].jpg", "p/sub/c.png"]


def test_names_of_a_list_may_be_no_utf8_and_are_no_patterns(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.fsdecode(b"p/\xe9 *.png")).touch()
    monkeypatch.setattr("sys.stdin", Piped(b"p/\xe9 *.png\n"))
    assert names("-") == [os.fsdecode(b"p/\xe9 *.png")]
    monkeypatch.setattr("sys.stdin", Piped(b"p/*.jpg\n"))
    with pytest.raises(UserError, match=r"the image p/\*\.jpg is missing"):
        names("-")


def test_an_image_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Piped(content := png(np.zeros((2, 2, 1), np.uint16), 0)))
    (image,) = inputs.given_images(["-"])
    assert (image.name, image.read()) == ("-", content)


@pytest.mark.parametrize(
    ("content", "given", "wanted"),
    [
        (b"", ["-"], "standard input is empty"),
        (b"\n \n", ["-"], "standard input is empty"),
        (b"<!DOCTYPE html><html>", ["-"], "standard input is a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", ["-"], "standard input is HEIC"),
        (b"none.jpg\n", ["-"], "the image none.jpg is missing"),
        (b"p/b.jpg", ["-", "-"], r"standard input \(-\) is given twice"),
        (b"", [], "no image given"),
        (b"", ["p/*.gif"], r"the pattern p/\*\.gif matches no image"),
        (b"", ["p/*.txt"], r"the pattern p/\*\.txt matches no image"),
        (b"", ["p/[.jpg"], "matches no image"),
    ],
)
def test_what_is_wrong_is_said(
    photos: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, given: list[str], wanted: str
) -> None:
    monkeypatch.setattr("sys.stdin", Piped(content))
    with pytest.raises(UserError, match=wanted):
        names(*given)


@pytest.mark.parametrize("given", [["none.jpg", "p/b.jpg", "p/*.gif", "empty"], ["-"]])
def test_what_is_not_there_keeps_its_place_beside_the_others(
    photos: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    (photos / "empty").mkdir()
    monkeypatch.setattr("sys.stdin", Piped(b"none.jpg\np/b.jpg\nempty\n"))
    found = {image.name: image for image in inputs.given_images(given)}
    lacking = {"none.jpg": "is missing", "p/*.gif": "matches no image", "empty": "holds no images"}
    assert [found[name].lack for name in found] == [lacking.get(name, "") for name in found]
    assert len(found) == len(given) + 2 * (given == ["-"])
    with pytest.raises(Fault, match="is missing"):
        found["none.jpg"].read()


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = Piped(b"")
    monkeypatch.setattr(piped, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", piped)
    with pytest.raises(UserError, match="nothing is piped into it"):
        names("-")
