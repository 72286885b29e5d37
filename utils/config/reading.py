"""Typed configuration: a frozen dataclass whose every field is a YAML key and a command line flag.

Three sources, the later wins: the defaults of the class, the YAML file named by `--config_path`, the flags. A key
nobody knows is an error that names the nearest one, and so is a value of another type, in both sources alike.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import GenericAlias
from typing import Any, Generic, NoReturn, TypeVar

import yaml

from mindzoo.utils.config.recipe import read_mapping
from mindzoo.utils.config.values import check_range, convert
from mindzoo.utils.errors import UserError, nearest

C = TypeVar("C")
Condition = tuple[str, tuple[Any, ...]]


def key(
    default: Any,
    help: str,
    *,
    choices: Sequence[Any] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    only_with: Condition | tuple[Condition, ...] = (),
    positional: bool = False,
) -> Any:
    """One configuration key. `only_with=("lr_scheduler", ("exponential",))`: it has no effect otherwise.

    Of several conditions all must hold.
    A number without a `maximum` may be as large as LARGEST says.
    """
    conditions = (only_with,) if only_with and isinstance(only_with[0], str) else only_with
    metadata = {
        "help": help,
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": maximum,
        "only_with": conditions,
    }
    return field(default=default, metadata={**metadata, "positional": positional})


@dataclass(frozen=True)
class Conversion:
    """A word of an original README whose value means something else here, or several keys at once."""

    help: str
    keys: tuple[str, ...]  # that it may set
    convert: Callable[[Any], Mapping[str, Any]]  # text or YAML value -> values by key; may raise UserError


Aliases = Mapping[str, "str | Conversion"]


@dataclass(frozen=True)
class Loaded(Generic[C]):
    """A configuration and the names of the keys that a file or a flag set."""

    config: C
    given: frozenset[str]
    remarks: tuple[str, ...] = ()  # lines on keys that were settled after they were read
    by_flags: frozenset[str] = frozenset()  # those of `given` that are no matter of the recipe alone

    def notes(self) -> list[str]:
        """One line for each key that was given and can have no effect beside the other values."""
        lines = list(self.remarks)
        for spec in dataclasses.fields(self.config):  # type: ignore[arg-type]
            if spec.name in self.given and getattr(self.config, spec.name) != spec.default:
                reason = self.why_not(spec.name)
                if reason:
                    lines.append(f"{spec.name} has no effect: {reason}")
        return lines

    def why_not(self, name: str) -> str:
        """Why a key has no effect, or the key that it depends on has none; empty where it has one."""
        specs = {spec.name: spec for spec in dataclasses.fields(self.config)}  # type: ignore[arg-type]
        for other, wanted in specs[name].metadata.get("only_with", ()):
            found, choices = getattr(self.config, other), specs[other].metadata.get("choices")
            if found not in wanted:
                words = " or ".join(show(value) for value in wanted if not choices or value in choices)
                return f"{other} is {show(found)}, and it is used with {words} only"
            if reason := self.why_not(other):
                return reason
        return ""


def read_config(
    config_class: type[C],
    argv: Sequence[str],
    *,
    aliases: Aliases | None = None,
    recipes: Path | None = None,
    prog: str | None = None,
    description: str = "",
    epilog: str = "",
    passed_over: Collection[str] = (),
) -> Loaded[C]:
    """Read flags, and the YAML file that they name, into a `config_class`.

    Args:
        aliases: other spellings of keys, {"per_batch_size": "batch_size"}, and words that are converted.
        passed_over: keys that a recipe may hold for another command; they are skipped.
        prog, description, epilog: for `--help`, as those of argparse.
        recipes: the folder in which a `--config_path` that is no file of its own is looked up.

    Raises:
        UserError: unknown key, value of another type or out of range, file that is missing or no YAML mapping.
    """
    aliases = dict(aliases or {})
    flags = _parse_flags(config_class, argv, aliases, {"prog": prog, "description": description, "epilog": epilog})
    values: dict[str, Any] = {}
    if flags.get("config_path"):
        values = read_yaml(config_class, find_recipe(flags["config_path"], recipes), aliases, passed_over)
    values.update(flags)
    return Loaded(make(config_class, values), frozenset(values), by_flags=frozenset(flags))


def make(config_class: type[C], values: Mapping[str, Any]) -> C:
    """A `config_class` from values of the right types; choices and ranges are checked.

    Raises:
        UserError: a value that is not among the choices or out of range.
    """
    for spec in dataclasses.fields(config_class):  # type: ignore[arg-type]
        if spec.name in values:
            check_range(spec, values[spec.name])
    return config_class(**values)


def read_yaml(config_class: type, path: Path, aliases: Aliases, passed_over: Collection[str] = ()) -> dict[str, Any]:
    """The keys of a recipe with their values converted to the types of `config_class`.

    Raises:
        UserError: as `read_mapping`; unknown key, a key given twice, value of another type.
    """
    types, values = _types(config_class), {}
    for word, written in read_mapping(path).items():
        for name, value in _meaning(str(word), written, aliases).items():
            if name not in types and (name in passed_over or word in passed_over):
                continue
            if name not in types:
                raise UserError(f"{path}: unknown key {word}{nearest(str(word), [*types, *aliases])}")
            if name in values:
                raise UserError(f"{path}: {name} is given twice, once as {word}; keep one of them")
            values[name] = convert(types[name], value, f"{path}: {word}")
    return values


def find_recipe(name: str, recipes: Path | None) -> Path:
    """The file `name`, or the recipe of that name (with or without .yaml) in the folder `recipes`."""
    candidates = [Path(name)]
    if recipes is not None:
        candidates += [recipes / name, recipes / f"{name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.name for path in recipes.glob("*.yaml"))) if recipes else ""
    raise UserError(
        f"config_path is {name}, which is no file" + (f"; recipes of this model: {shipped}" if shipped else "")
    )


def to_yaml(config: Any) -> str:
    """The resolved configuration as YAML that `read_yaml` reads back."""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)


def plain(config: Any) -> dict[str, Any]:
    """The resolved configuration as a file has it: with lists in place of tuples."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(config).items()
    }


def _meaning(word: str, value: Any, aliases: Aliases) -> Mapping[str, Any]:
    """The keys that a word sets, with their values."""
    meant = aliases.get(word, word)
    return {meant: value} if isinstance(meant, str) else meant.convert(value)


def _types(config_class: type) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def _parse_flags(config_class: type, argv: Sequence[str], aliases: Aliases, words: Mapping[str, Any]) -> dict[str, Any]:
    parser = _Parser(**words, allow_abbrev=False, formatter_class=_HelpFormatter)
    types = _types(config_class)
    converted = {word: meant for word, meant in aliases.items() if isinstance(meant, Conversion) and word not in types}
    spellings: dict[str, list[str]] = {name: [name] for name in types}
    for word, meant in aliases.items():
        if isinstance(meant, str):
            spellings[meant].append(word)
    for title, fields in groups(config_class):
        group = parser.add_argument_group(title)
        for spec in fields:
            _add_flag(group, spec, types[spec.name], spellings[spec.name])
    if converted:
        group = parser.add_argument_group("Words of the original README that are converted")
        for word, conversion in converted.items():
            group.add_argument(f"--{word}", action=_Given, metavar="VALUE", help=conversion.help.replace("%", "%%"))
    namespace, rest = parser.parse_known_intermixed_args(argv, argparse.Namespace(given=[]))
    if rest:
        word = rest[0].split("=")[0]
        known = [f"--{spelling}" for spelling in [*types, *aliases]]
        kind = "flag" if word.startswith("-") else "argument"
        if kind == "argument" and exists(word):
            raise UserError(
                f"{word} is one file too many; where a pattern such as * stood, it matches several: name one of them"
            )
        raise UserError(f"unknown {kind} {word}{nearest(word, known)}; {parser.prog} --help lists them all")
    values: dict[str, Any] = {}
    for word, text in namespace.given:
        for name, value in _meaning(word, text, aliases).items():
            values[name] = convert(types[name], value, f"--{name}" if name == aliases.get(word, word) else f"--{word}")
    positional = {spec.name for spec in dataclasses.fields(config_class) if spec.metadata.get("positional")}
    for name in positional:
        if words := getattr(namespace, name):
            values[name] = tuple(convert(str, word, f"an argument ({name.upper()})") for word in words)
    return values


def exists(word: str) -> bool:
    """Whether a word is the name of something; one that is too long for a name is none."""
    try:
        return Path(word).exists()
    except OSError:
        return False


def _add_flag(group: Any, spec: dataclasses.Field[Any], kind: Any, spellings: list[str]) -> None:
    text = spec.metadata["help"].replace("%", "%%")
    if spec.metadata.get("positional"):
        group.add_argument(spec.name, nargs="*", metavar=spec.name.upper(), help=text)
        return
    options: dict[str, Any] = {"action": _Given, "metavar": _metavar(kind)}
    if kind is bool:
        options.update(nargs="?", const="true")
    choices = spec.metadata["choices"]
    one_of = f"; one of {', '.join(str(choice) for choice in choices)}" if choices else ""
    group.add_argument(
        *(f"--{word}" for word in spellings), help=f"{text}{one_of} (default: {show(spec.default)})", **options
    )


def _metavar(kind: Any) -> str:
    if isinstance(kind, GenericAlias):
        return f"{_metavar(typing.get_args(kind)[0])},..."
    return {bool: "BOOL", int: "INT", float: "NUMBER", str: "TEXT"}[kind]


def groups(config_class: type) -> list[tuple[str, list[dataclasses.Field[Any]]]]:
    """The fields by the class that declares them, with the first line of its docstring as the title."""
    final = {spec.name: spec for spec in dataclasses.fields(config_class)}
    found = []
    for cls in reversed(config_class.__mro__):
        names = [name for name in inspect.get_annotations(cls) if name in final]
        if names:
            title = (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".")
            found.append((title, [final.pop(name) for name in names]))
    return found


def show(value: Any) -> str:
    """A value as it is written on the command line; "none" for an empty text and an empty list."""
    if isinstance(value, tuple):
        return ",".join(show(part) for part in value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "none"


class _Given(argparse.Action):
    """Collects words and texts in the order in which they are written: the last one wins."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        namespace.given.append((str(option_string).removeprefix("--"), values))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({self.prog} --help explains every flag)")

    def print_help(self, file: Any = None) -> None:
        super().print_help(file or sys.stdout)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=110)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        """One short usage line: sixty flags in brackets explain nothing."""
        words = [f"[{action.metavar} ...]" for action in actions if not action.option_strings]
        super().add_usage(" ".join(["%(prog)s", *words, "[--key value ...]"]), actions, groups, prefix)
