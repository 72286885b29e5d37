"""A recipe that somebody else wrote: read soon, or refused in a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mindzoo.tests.support.arguments import HOSTILE_YAML
from mindzoo.utils.config.recipe import MOST_BYTES, read_mapping
from mindzoo.utils.errors import UserError

LEVELS = [("abcdefgh"[n], "bcdefghi"[n]) for n in range(8)]
LAUGHS = "a: &a [x,x,x]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in LEVELS)


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text.encode())
    return read_mapping(path)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (LAUGHS, "*a repeats a list or a mapping; write it out"),
        ("lr: &a [*a]", "*a repeats a list or a mapping"),
        ("lr: " + "[" * 20_000, "more than 8 levels in each other"),
        ("? " * 20_000, "more than 8 levels in each other"),
        ("--- !!map text", "could not determine a constructor for the tag 'tag:yaml.org,2002:map'"),
        ("lr: !!set {a}", "could not determine a constructor"),
        ("lr: !!float ''", "is no float"),
        ("seed: " + "9" * 5000, "is no int"),
        ("seed: 0x" + "f" * 50_000, "is no int"),
        ("seed: -0b" + "1" * 90_000, "is no int"),
        ("0x" + "f" * 101 + ": 1", "is no int"),
        ("lr: " + "9" * 90_000 + ".5", "is no float"),
        ("mean: [" + "1," * 49_000 + "]", "more than 5000 values"),
        ("".join(f"k{number}: 1\n" for number in range(9000)), "more than 5000 values"),
        ("x: &a " + "y" * 45_000 + "\nlr: [" + "*a," * 4000 + "]", "*a repeats a long text; write it out"),
        ("%YAML " + "9" * 5000 + ".1\n---\nlr: 1", "holds a number or a character that does not exist"),
        ("lr: 1\0", "unacceptable character #x0000"),
        ("lr: " + "x" * MOST_BYTES, "has 100,004 bytes; wanted 100,000 at most"),
    ],
)
def test_what_no_recipe_needs_is_refused_at_once(tmp_path: Path, text: str, part: str) -> None:
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert part in str(caught.value)
    assert "recipe.yaml" in str(caught.value)
    assert time.process_time() - started < 2  # of a processor: others may be busy


@pytest.mark.parametrize(
    "raw", [b"\xff\xfel\0r\0:\0 \x001\0", "lr: 1".encode("utf-32"), b"# caf\xe9", "# 你好".encode("gbk")]
)
def test_another_encoding_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "r.yaml").write_bytes(raw)
    with pytest.raises(UserError, match=r"the recipe .*r\.yaml is not text in UTF-8; save it in that encoding$"):
        read_mapping(tmp_path / "r.yaml")


def test_a_number_in_another_base_is_as_long_as_numbers_are(tmp_path: Path) -> None:
    assert read(tmp_path, "seed: 0xff\nlr: 1_000.5\n0b11: 1") == {"seed": 255, "lr": 1000.5, 3: 1}


def test_a_number_is_what_it_looks_like(tmp_path: Path) -> None:
    """YAML 1.1 has 750, -81 and 26 for these."""
    text = "lr: 12:30\nmomentum: -1:21\nseed: 032\nworkers: 0\nmax_epoch: 10"
    wanted = {"lr": "12:30", "momentum": "-1:21", "seed": "032", "workers": 0, "max_epoch": 10}
    assert read(tmp_path, text) == wanted


def test_a_single_value_may_be_repeated_and_a_date_is_a_text(tmp_path: Path) -> None:
    text = "lr: &a 0.5\nmomentum: *a\noutput_dir: 2020-13-45\nmodel: {extra: {STAGE1: {NUM_BLOCKS: [4]}}}"
    assert read(tmp_path, text) == {
        "lr": 0.5,
        "momentum": 0.5,
        "output_dir": "2020-13-45",
        "model": {"extra": {"STAGE1": {"NUM_BLOCKS": [4]}}},
    }


@pytest.mark.parametrize("number", range(len(HOSTILE_YAML)))
def test_any_text_is_a_mapping_or_refused(tmp_path: Path, number: int) -> None:
    try:
        found = read(tmp_path, HOSTILE_YAML[number])
    except UserError:
        return
    assert isinstance(found, dict)
