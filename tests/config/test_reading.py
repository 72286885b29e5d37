"""Flags and YAML: types, precedence, aliases, and what is said about mistakes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from mindzoo.utils.config import reading, values
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.reading import Loaded, key
from mindzoo.utils.errors import UserError
from mindzoo.utils.inference.keys import PredictConfig

ALIASES = {"learning_rate": "lr", "size": "sizes"}


@dataclass(frozen=True)
class Base:
    """Inherited keys"""

    config_path: str = key("", "a YAML file")
    count: int = key(1, "how many, 100% of them", minimum=0, maximum=9)


@dataclass(frozen=True)
class Sample(Base):
    """Own keys"""

    lr: float = key(0.1, "rate", minimum=0)
    flag: bool = key(False, "a switch")
    power: bool = key(True, "another switch")
    sizes: tuple[int, ...] = key((3, 4), "height,width", minimum=1)
    ratios: tuple[float, ...] = key((), "some ratios", minimum=0, maximum=1)
    name: str = key("", "any text")
    mode: str = key("fast", "how", choices=("fast", "slow"))
    depth: int = key(1, "used when slow", only_with=("mode", ("slow",)))
    floor: int = key(0, "used when deep", only_with=("depth", (2, 3)))
    files: tuple[str, ...] = key((), "files to read", positional=True)


def load(*argv: str, recipes: Path | None = None) -> Loaded[Sample]:
    return reading.read_config(Sample, argv, aliases=ALIASES, recipes=recipes, prog="sample")


def from_yaml(tmp_path: Path, text: str, *argv: str) -> Loaded[Sample]:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load("--config_path", str(path), *argv)


def message(*argv: str) -> str:
    with pytest.raises(UserError) as caught:
        load(*argv)
    return str(caught.value)


def yaml_message(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        from_yaml(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "recipe.yaml"), "FILE")


def same(found: Any, wanted: Any) -> bool:
    """Equal and of the same type, also inside a tuple."""
    inside = isinstance(wanted, tuple) and [type(part) for part in found] != [type(part) for part in wanted]
    return type(found) is type(wanted) and found == wanted and not inside


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("count", "7", 7),
        ("count", "7.0", 7),
        ("count", "1e0", 1),
        ("lr", "1e-4", 1e-4),
        ("lr", "1.0e-4", 1e-4),
        ("lr", ".5", 0.5),
        ("lr", "2", 2.0),
        ("flag", "true", True),
        ("flag", "True", True),
        ("flag", "yes", True),
        ("flag", "on", True),
        ("flag", "1", True),
        ("power", "false", False),
        ("power", "False", False),
        ("power", "no", False),
        ("power", "off", False),
        ("power", "0", False),
        ("sizes", "1,2", (1, 2)),
        ("sizes", "[1,2]", (1, 2)),
        ("sizes", "[1, 2]", (1, 2)),
        ("sizes", "1", (1,)),
        ("sizes", "[]", ()),
        ("ratios", "0.5,1", (0.5, 1.0)),
        ("ratios", "[1e-1, 1]", (0.1, 1.0)),
        ("ratios", "1", (1.0,)),
        ("name", "plain text", "plain text"),
        ("name", "007x", "007x"),
        ("name", "12", "12"),
        ("name", "", ""),
        ("name", "日本/ü", "日本/ü"),
    ],
)
def test_flags_and_yaml_read_the_same_values(tmp_path: Path, name: str, text: str, wanted: Any) -> None:
    typed = getattr(load(f"--{name}", text).config, name)
    joined = getattr(load(f"--{name}={text}").config, name)
    written = getattr(from_yaml(tmp_path, f"{name}: {text}\n").config, name)
    assert same(typed, wanted), f"flag: {typed!r}"
    assert same(joined, wanted), f"flag with =: {joined!r}"
    assert same(written, wanted), f"YAML: {written!r}"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("count", "1.5", "a whole number"),
        ("count", "x", "a whole number"),
        ("count", "inf", "a whole number"),
        ("lr", "fast", "a number"),
        ("flag", "maybe", "true or false"),
        ("flag", "2", "true or false"),
        ("sizes", "1,x", "a whole number"),
        ("sizes", "[1, 2.5]", "a whole number"),
    ],
)
def test_flags_and_yaml_refuse_the_same_values(tmp_path: Path, name: str, text: str, wanted: str) -> None:
    assert re.fullmatch(f"--{name} is '[^']+'; wanted {wanted}", message(f"--{name}", text))
    assert re.fullmatch(f"FILE: {name} is [^;]+; wanted {wanted}", yaml_message(tmp_path, f"{name}: {text}\n"))


@pytest.mark.parametrize("text", ["count: true", "lr: [1]", "lr: {a: 1}", "name: true", "sizes: {a: 1}", "lr:"])
def test_yaml_refuses_other_types(tmp_path: Path, text: str) -> None:
    assert re.fullmatch(r"FILE: \w+ is .+; wanted a (whole number|number|text)", yaml_message(tmp_path, text))


def test_a_whole_number_keeps_every_digit() -> None:
    assert values.convert(int, "9007199254740993", "seed") == 9007199254740993


def test_a_flag_without_a_value_is_true() -> None:
    assert load("--flag").config.flag is True
    assert load("--flag", "--count", "2").config.flag is True


def test_a_text_of_nothing_empties_a_tuple() -> None:
    assert load("--sizes", "").config.sizes == ()


def test_a_negative_number_reaches_the_range_check() -> None:
    assert message("--lr", "-0.1") == "lr is -0.1; wanted at least 0"


def test_nothing_given_means_the_defaults() -> None:
    assert load() == Loaded(Sample(), frozenset())


def test_flags_win_over_the_recipe_and_both_over_defaults(tmp_path: Path) -> None:
    loaded = from_yaml(tmp_path, "lr: 0.5\ncount: 4\n", "--count", "5")
    assert (loaded.config.lr, loaded.config.count, loaded.config.name) == (0.5, 5, "")
    assert loaded.given == {"lr", "count", "config_path"}


def test_the_last_of_two_equal_flags_wins() -> None:
    assert load("--lr", "1", "--learning_rate", "2").config.lr == 2.0


def test_aliases_work_in_both(tmp_path: Path) -> None:
    loaded = from_yaml(tmp_path, "learning_rate: 0.5\n", "--size", "5,6")
    assert (loaded.config.lr, loaded.config.sizes) == (0.5, (5, 6))
    assert loaded.given == {"lr", "sizes", "config_path"}


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["--cuont", "3"], "unknown flag --cuont (did you mean --count?); sample --help lists them all"),
        (["--cuont=3"], "unknown flag --cuont (did you mean --count?); sample --help lists them all"),
        (
            ["--learning_rat", "3"],
            "unknown flag --learning_rat (did you mean --learning_rate?); sample --help lists them all",
        ),
        (["--xyzzy", "3"], "unknown flag --xyzzy; sample --help lists them all"),
        (["--lr"], "argument --lr/--learning_rate: expected one argument (sample --help explains every flag)"),
    ],
)
def test_unknown_flags(argv: list[str], wanted: str) -> None:
    assert message(*argv) == wanted


@pytest.mark.parametrize("word", ["--coun", "--config", "--learning", "--rat"])
def test_abbreviations_are_unknown(word: str) -> None:
    assert message(word, "1").startswith(f"unknown flag {word}")


def test_an_unknown_word_where_none_is_wanted() -> None:
    with pytest.raises(UserError, match=r"^unknown argument photo\.png"):
        reading.read_config(Base, ["photo.png"], prog="sample")


def test_a_pattern_that_matches_several_files_is_said(tmp_path: Path) -> None:
    second = tmp_path / "second.ckpt"
    second.touch()
    with pytest.raises(UserError, match=rf"^{second} is one file too many; where a pattern such as \* stood"):
        reading.read_config(Base, [str(second)], prog="sample")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cuont: 3", "FILE: unknown key cuont (did you mean count?)"),
        ("learning_rat: 3", "FILE: unknown key learning_rat (did you mean learning_rate?)"),
        ("coun: 3", "FILE: unknown key coun (did you mean count?)"),
        ("xyzzy: 3", "FILE: unknown key xyzzy"),
        ("lr: 1\nlearning_rate: 2", "FILE: lr is given twice, once as learning_rate; keep one of them"),
        ("learning_rate: 2\nlr: 1", "FILE: lr is given twice, once as lr; keep one of them"),
        ("- lr", "FILE holds list; wanted a mapping of keys to values"),
        ("# nothing", "FILE is empty; wanted a mapping of keys to values"),
        ("mode: medium", "mode is medium; wanted one of fast, slow"),
    ],
)
def test_mistakes_in_yaml(tmp_path: Path, text: str, wanted: str) -> None:
    assert yaml_message(tmp_path, text + "\n") == wanted


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("lr: 1\ncount: 2\nlr: 2", "lr is given twice"),
        ("lr: 1\n  count: 2", "mapping values are not allowed"),
        ("lr: [1", "expected ',' or ']'"),
        ("name: !!python/object:os.system x", "could not determine a constructor"),
        ("? [a, b]\n: 1", "FILE"),
    ],
)
def test_what_is_no_recipe_is_one_line_that_names_the_file(tmp_path: Path, text: str, part: str) -> None:
    found = yaml_message(tmp_path, text + "\n")
    assert found.startswith("FILE")
    assert part in found
    assert "\n" not in found


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xff\xfe\x80")
    assert message("--config_path", str(path)).startswith(f"the recipe {path} is not text in UTF-8")


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["--mode", "slwo"], "mode is slwo; wanted one of fast, slow (did you mean slow?)"),
        (["--mode", "Fast"], "mode is Fast; wanted one of fast, slow (did you mean fast?)"),
        (["--count", "10"], "count is 10; wanted at least 0 and at most 9"),
        (["--count", "1e11"], "count is 100000000000; wanted at least 0 and at most 9"),
        (["--count", "1e300"], "count is 100000000000...; wanted at least 0 and at most 9"),
        (["--lr=-1e11"], "lr is -100000000000; wanted at least 0"),
        (["--lr", "nan"], "--lr is 'nan'; wanted a number"),
        (["--sizes", "4,0"], "sizes is 0; wanted at least 1"),
        (["--ratios", "0.5,1.5"], "ratios is 1.5; wanted at least 0 and at most 1"),
    ],
)
def test_choices_and_ranges(argv: list[str], wanted: str) -> None:
    assert message(*argv) == wanted


@pytest.mark.parametrize("argv", [["--count", "0"], ["--count", "9"], ["--ratios", "0,1"], ["--lr", "0"]])
def test_the_ends_of_a_range_belong_to_it(argv: list[str]) -> None:
    assert load(*argv).given == {argv[0].removeprefix("--")}


def test_a_key_without_effect_is_noted() -> None:
    assert load("--depth", "3").notes() == ["depth has no effect: mode is fast, and it is used with slow only"]
    assert load("--depth", "3", "--mode", "slow").notes() == []
    assert load("--mode", "fast").notes() == []


def test_a_key_without_effect_takes_those_that_depend_on_it_along() -> None:
    assert load("--floor", "1").notes() == ["floor has no effect: depth is 1, and it is used with 2 or 3 only"]
    lines = load("--floor", "1", "--depth", "3").notes()
    assert lines == [
        f"{name} has no effect: mode is fast, and it is used with slow only" for name in ("depth", "floor")
    ]
    assert load("--floor", "1", "--depth", "3", "--mode", "slow").notes() == []


def test_recipes_are_found_by_path_by_name_and_without_suffix(tmp_path: Path) -> None:
    recipes = tmp_path / "config"
    recipes.mkdir()
    (recipes / "small.yaml").write_text("count: 2\n", encoding="utf-8")
    for word in (str(recipes / "small.yaml"), "small.yaml", "small"):
        assert load("--config_path", word, recipes=recipes).config.count == 2


def test_a_file_of_that_name_wins_over_a_shipped_recipe(tmp_path: Path) -> None:
    recipes = tmp_path / "config"
    recipes.mkdir()
    (recipes / "small.yaml").write_text("count: 2\n", encoding="utf-8")
    Path("small.yaml").write_text("count: 3\n", encoding="utf-8")
    assert load("--config_path", "small.yaml", recipes=recipes).config.count == 3


def test_a_recipe_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(UserError) as caught:
        load("--config_path", "c", recipes=tmp_path)
    assert str(caught.value) == "config_path is c, which is no file; recipes of this model: a.yaml, b.yaml"
    assert message("--config_path", "c") == "config_path is c, which is no file"


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    before = Sample(
        count=3,
        lr=1e-5,
        flag=True,
        power=False,
        sizes=(7,),
        ratios=(0.25, 1.0),
        name="yes: ü 日本 1e3",
        files=("a b", "2"),
    )
    path = tmp_path / "written.yaml"
    path.write_text(reading.to_yaml(before), encoding="utf-8")
    assert reading.make(Sample, reading.read_yaml(Sample, path, {})) == before


@pytest.mark.parametrize("kind", [TrainConfig, EvalConfig, ExportConfig, PredictConfig])
def test_every_real_configuration_reads_back(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "written.yaml"
    path.write_text(reading.to_yaml(kind()), encoding="utf-8")
    assert reading.make(kind, reading.read_yaml(kind, path, {})) == kind()


@pytest.mark.parametrize(
    "argv",
    [
        ["a.png", "2", "--count", "3"],
        ["--count", "3", "a.png", "2"],
        ["a.png", "--count", "3", "2"],
    ],
)
def test_positional_words_stand_before_and_after_flags(argv: list[str]) -> None:
    given = frozenset({"count", "files"})
    assert load(*argv) == Loaded(Sample(count=3, files=("a.png", "2")), given, by_flags=given)


def test_a_positional_word_with_a_comma_is_one_word() -> None:
    assert load("a,b.png").config.files == ("a,b.png",)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("kind", [Sample, TrainConfig, PredictConfig])
def test_help_explains_every_key(kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        reading.read_config(kind, ["--help"], prog="sample", description="What it does.")
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: sample ")
    assert "What it does." in shown
    for spec in fields(kind):
        assert (spec.name.upper() if spec.metadata["positional"] else f"--{spec.name} ") in shown
        assert squeezed(spec.metadata["help"]) in squeezed(shown)


def test_help_shows_groups_choices_defaults_and_aliases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load("--help")
    shown = capsys.readouterr().out
    for part in ("Inherited keys:", "Own keys:", "one of fast, slow (default: fast)", "(default: 3,4)"):
        assert part in shown
    assert "--lr NUMBER, --learning_rate NUMBER" in shown
    assert "how many, 100% of them (default: 1)" in shown
    assert "(default: none)" in shown
