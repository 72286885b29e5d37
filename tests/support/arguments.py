"""Arguments drawn at random: keys as they are declared, with values of their kind and far beyond it."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from types import GenericAlias
from typing import Any

from hypothesis import strategies as st

from mindzoo.utils.config.reading import Aliases

NUMBERS = (
    "0",
    "1",
    "-1",
    "2147483647",
    "2147483648",
    "4294967296",
    "99999999999999999999",
    "9" * 5000,
    "-" + "9" * 400,
)
FRACTIONS = ("0.5", "-0.0", "1e-300", "1e39", "1e400", "nan", "inf", "-inf", "1e3.5", ".", "0x10", "1_000", "٣")
TEXTS = (
    "", " ", "abc", "a\0b", "\x1b[31mred", "a\nb", "\r", "\u202eabc", "\ud800", "\udc80", "日本", "x" * 300, "x" * 5000,
    "a/" * 3000, "%s%n{0}", "~", "-", "--", "[", "*", "null", "true", "1,2", "[]", "{}", "a: b", "," * 2000,
)  # fmt: skip
# None of these names anything that a command could work with, and none of them leads to a network.
PLACES = ("/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/proc/x/y", "missing", "missing/x.ckpt", "gs://b/d",
          "s3:///x", "file://host/x", "obs://AK:SK@b/d", "http://x/y")  # fmt: skip
MADE = ("empty", "text.txt", "text.txt/x", "text.ckpt", "text.npy", "text.png", "text.json", "loop")
NOTHING = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
# YAML that is no recipe, or one that grows.
HOSTILE_YAML = (
    NOTHING + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "lr: &a [*a]", "lr: " + "[" * 5000, "lr: " + "{a: " * 900, "? " * 5000, "--- !!map text", "lr: !!map text",
    "lr: !!set text", "lr: !!omap x", "lr: !!pairs x", "lr: !!binary '@@@'", "lr: !!int x", "lr: !!float ''",
    "lr: !!bool maybe", "lr: !!timestamp x", "lr: !!null x", "lr: 2020-13-45", "lr: 2020-99-99T99:99:99", "<<: [1]",
    "batch_size: " + "9" * 5000, "9" * 5000 + ": 1", "lr: !!python/name:os.system", "? [a, b]\n: 1", "? {a: b}\n: 1",
    'lr: "\\U00110000"', 'data_dir: "\\ud800"', 'data_dir: "\\0"', "lr: {a: 1}", "true: 1", "1: 1", "", "- 1", "lr: ~",
    "%YAML " + "9" * 5000 + ".1\n---\nlr: 1", "lr: .nan", "lr: .inf", "lr: 190:20:30", "\ufefflr: 1", "lr: 1\n---\nlr: 2",
    "model: {extra: {STAGE1: [1]}}", "x" * 200_000, "lr: 1\x00", "a: b: c", "lr: 'x", "lr: &a 1\nmomentum: *a",
)  # fmt: skip


def words(kind: Any) -> st.SearchStrategy[str]:
    """What somebody may write for a value of this type."""
    anything = st.one_of(st.sampled_from(TEXTS), st.text(max_size=30))
    if isinstance(kind, GenericAlias):
        parts = words(typing.get_args(kind)[0])
        return st.one_of(st.lists(parts, max_size=4).map(",".join), anything)
    numbers = st.one_of(st.sampled_from(NUMBERS + FRACTIONS), st.integers().map(str), st.floats().map(str))
    if kind in (int, float):
        return st.one_of(numbers, numbers, anything)
    if kind is bool:
        return st.one_of(st.sampled_from(("true", "0", "no", "maybe")), anything)
    return st.one_of(st.sampled_from(PLACES + MADE), st.sampled_from(PLACES + MADE), anything, numbers)


def flags(config_class: type, aliases: Aliases) -> st.SearchStrategy[list[str]]:
    """Some flags of a configuration with values, its positional words, and now and then what is no flag at all."""
    types = typing.get_type_hints(config_class)
    fields = dataclasses.fields(config_class)
    named = [spec for spec in fields if not spec.metadata.get("positional")]
    one = st.one_of(*(st.tuples(st.just(f"--{spec.name}"), chosen(spec, types[spec.name])) for spec in named))
    parts = [one, one, one, st.tuples(words(str))]
    if aliases:
        parts.append(st.tuples(st.sampled_from([f"--{word}" for word in aliases]), words(str)))
    if len(named) < len(fields):
        parts += [st.tuples(words(str)), st.tuples(st.sampled_from(MADE))]
    return st.lists(st.one_of(*parts), max_size=4).map(lambda pairs: [word for pair in pairs for word in pair])


def chosen(spec: dataclasses.Field[Any], kind: Any) -> st.SearchStrategy[str]:
    """Values of one key: its choices and the ends of its range too."""
    near = [str(value) for value in spec.metadata["choices"]]
    near += [str(spec.metadata[name]) for name in ("minimum", "maximum") if spec.metadata[name] is not None]
    if spec.name == "config_path":
        return st.sampled_from([f"{number}.yaml" for number in range(len(HOSTILE_YAML))] + ["empty", "/dev/zero", "x"])
    return st.one_of(st.sampled_from(near), words(kind)) if near else words(kind)


def make_playground(folder: Path) -> None:
    """The files that MADE and `config_path` name: nothing in them is what a command wants."""
    (folder / "empty").mkdir()
    for name in MADE:
        if name.startswith("text") and "/" not in name:
            (folder / name).write_text("this is only text")
    (folder / "loop").symlink_to("loop")
    for number, content in enumerate(HOSTILE_YAML):
        (folder / f"{number}.yaml").write_bytes(content.encode())
