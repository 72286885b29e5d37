"""Helpers of error messages."""

from __future__ import annotations

import time

import pytest

from mindzoo.utils.errors import LONGEST_LINE, UserError, aligned, counted, fitted, nearest, shorten, without_middle
from mindzoo.utils.exits import Interrupted


def test_nearest_names_the_closest_word() -> None:
    assert nearest("bach_size", ["momentum", "batch_size", "lr"]) == " (did you mean batch_size?)"


@pytest.mark.parametrize(
    ("word", "known", "wanted"),
    [
        ("--lrr", "--lr", True),
        ("--knd", "--kind", True),
        ("--prot", "--port", True),  # two letters have changed places
        ("--bathc_sizes", "--batch_size", True),
        ("--Batch-Size", "--batch_size", True),
        ("batch_size", "--batch_size", True),
        ("--data", "--data_dir", True),
        ("--epochs", "--max_epoch", True),
        ("--num_workers", "--workers", True),
        ("hrnet", "hrnet_w48", True),
        ("--csv", "--std", False),
        ("--json", "--mean", False),
        ("--test", "--step", False),
        ("--save_all", "--label", False),
        ("--load_checkpoint", "--save_checkpoint", False),
        ("--layer_decay", "--weight_decay", False),
        ("--size", "--sink_size", False),
        ("--stdout", "--std", False),
        ("1", "2", False),
        ("x" * 100_000, "x" * 20, False),
    ],
)
def test_what_is_near(word: str, known: str, wanted: bool) -> None:
    assert nearest(word, ["momentum", known]) == (f" (did you mean {known}?)" if wanted else "")


def test_of_several_near_words_the_most_alike_is_named() -> None:
    assert nearest("--ranksize", ["--rank", "--rank_sizes", "--ranks"]) == " (did you mean --rank_sizes?)"


@pytest.mark.parametrize("known", [[], ["momentum", "lr"]])
def test_nearest_is_silent_where_nothing_is_near(known: list[str]) -> None:
    assert nearest("xyzzy", known) == ""


def test_nearest_takes_an_iterator() -> None:
    assert nearest("1", map(str, (10, 1))) == " (did you mean 1?)"


@pytest.mark.parametrize(
    ("count", "most", "wanted"),
    [
        (0, 5, ""),
        (1, 5, "n0"),
        (5, 5, "n0, n1, n2, n3, n4"),
        (6, 5, "n0, n1, n2, n3, n4 and 1 more"),
        (9, 2, "n0, n1 and 7 more"),
    ],
)
def test_shorten_says_how_many_were_left_out(count: int, most: int, wanted: str) -> None:
    assert shorten((f"n{number}" for number in range(count)), most) == wanted


def test_one_of_a_thing_is_said_as_one() -> None:
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert [counted(number, "class") for number in (1, 2)] == ["1 class", "2 classes"]


def test_a_line_that_fits_is_shown_as_it_is() -> None:
    assert fitted("w" * LONGEST_LINE) == "w" * LONGEST_LINE


def test_of_a_long_line_what_is_longest_loses_its_middle() -> None:
    path = "/" + "x" * 5000 + "/end.ckpt"
    shown = str(UserError(f"data_dir is {path}, which is missing; wanted a folder", f"and {path}"))
    first, second = shown.split("\n")
    assert first.startswith("data_dir is /xxx")
    assert first.endswith("x/end.ckpt, which is missing; wanted a folder")
    assert len(first) <= LONGEST_LINE
    assert len(second) <= LONGEST_LINE + 2


def test_a_line_of_many_words_loses_its_own_middle() -> None:
    shown = fitted("from here " + "on and on " * 100 + "to the end")
    assert shown.startswith("from here")
    assert shown.endswith("to the end")
    assert len(shown) <= LONGEST_LINE


def test_a_line_of_a_million_long_words_is_cut_at_once() -> None:
    started = time.monotonic()
    assert len(fitted(("x" * 100 + " ") * 1_000_000)) <= LONGEST_LINE
    assert time.monotonic() - started < 2


def test_without_middle_keeps_both_ends() -> None:
    assert without_middle("abcdefghij", 10) == "abcdefghij"
    assert without_middle("abcdefghijk", 9) == "abc...ijk"


def test_columns_stand_under_each_other_where_characters_are_wide() -> None:
    assert aligned([["name", "n"], ["猫", "1"], ["a", "10"]]) == ["name  n", "猫    1", "a     10"]


def test_interrupted_knows_its_signal() -> None:
    error = Interrupted("stopped after step 3", 15)
    assert (str(error), error.signal) == ("stopped after step 3", 15)
