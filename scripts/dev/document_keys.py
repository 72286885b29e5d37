"""Writes the tables of keys in docs/KEYS.md and in the networks' READMEs from the code.

    python scripts/dev/document_keys.py [--check] [NETWORK ...]

docs/KEYS.md has the keys as all networks share them; a network's README has its own, and those that differ. In these, and in the
Chinese pages beside them, it replaces what stands between `<!-- keys: COMMAND -->` and `<!-- end -->`, for
the commands train, eval, export and predict. The Chinese texts are those of keys_CN.yaml, here for the keys that networks
share and in each network's folder for its own, beside the English ones that they translate. --check changes nothing, names the files that are out of date and ends with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import re
import runpy
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import SPECS  # noqa: E402
from mindzoo.utils.commands.of_networks import EVAL, EXPORT, PREDICT, TRAIN  # noqa: E402
from mindzoo.utils.config import reading  # noqa: E402
from mindzoo.utils.config.keys import (  # noqa: E402
    CHECKPOINT_ALIASES,
    TRAIN_ALIASES,
    EvalConfig,
    ExportConfig,
    TrainConfig,
)
from mindzoo.utils.config.progress_keys import ProgressKeys  # noqa: E402
from mindzoo.utils.inference.keys import PredictConfig  # noqa: E402
from mindzoo.utils.spec import ModelSpec  # noqa: E402

TRANSLATIONS = ROOT / "scripts" / "keys_CN.yaml"
WIDTH = 120
# By command: the configuration, and the other spellings, that every network's begin with.
COMMON: dict[str, tuple[type, Mapping[str, Any]]] = {
    "train": (TrainConfig, TRAIN_ALIASES),
    "eval": (EvalConfig, CHECKPOINT_ALIASES),
    "export": (ExportConfig, CHECKPOINT_ALIASES),
    "predict": (PredictConfig, CHECKPOINT_ALIASES),
}
EVERY: dict[str, tuple[type, Mapping[str, Any]]] = {"every": (ProgressKeys, {})}  # what no command lacks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--check", action="store_true", help="only name the files that are out of date")
    options = parser.parse_args()
    unknown = [name for name in options.networks if name not in SPECS]
    if unknown:
        parser.error(f"unknown network {unknown[0]}; there are {', '.join(SPECS)}")
    specs = [SPECS[name] for name in options.networks or SPECS]
    return run(specs, translations(), check=options.check)


def translations() -> dict[str, Any]:
    """The Chinese texts: `groups` by title, `shared` by key, and by key under the name of each network."""
    texts: dict[str, Any] = yaml.safe_load(TRANSLATIONS.read_text(encoding="utf-8"))
    for name, spec in SPECS.items():
        path = spec.folder / TRANSLATIONS.name
        own = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        texts["groups"].update(own.get("groups", {}))
        texts[name] = {**texts.get(name, {}), **own.get("keys", {})}
    return texts


def run(specs: Iterable[ModelSpec], texts: Mapping[str, Any], *, check: bool) -> int:
    """Write the documents of these networks, or with `check` name those out of date; returns the exit status.

    Nothing is written where a translation or a marker is missing: status 2.
    """
    problems: list[str] = []
    changed = outdated_page(texts, problems)
    changed.update((path, text) for spec in specs for path, text in outdated(spec, texts, problems).items())
    if problems:
        sys.stderr.write("".join(f"error: {problem}\n" for problem in dict.fromkeys(problems)))
        return 2
    for path, text in changed.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'out of date' if check else 'written'}: {path}\n")
    return int(check and bool(changed))


@dataclass(frozen=True)
class Row:
    """One key of a command as it is documented."""

    group: str
    name: str
    flag: str
    default: Any  # None where there is none
    spellings: tuple[str, ...]
    meaning: str
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Language:
    """A document, and what its tables say in its language."""

    document: str
    header: tuple[str, str, str, str]
    nothing: str
    one_of: str
    between: str
    as_in_training: str
    as_everywhere: str
    page: str  # of the keys that all networks share
    group: Callable[[str, str], str]  # (network, English title) -> title
    meaning: Callable[[str, str, str], str]  # (network, key, English text) -> text


def outdated(spec: ModelSpec, texts: Mapping[str, Any], problems: list[str]) -> dict[Path, str]:
    """The documents of a network that are not as the code is, with what they should hold; adds to `problems`."""
    listed = {name: rows(*command) for name, command in commands(spec).items()}
    common = {name: rows(*command) for name, command in COMMON.items()}
    changed = {}
    for language in languages(texts, problems):
        path = spec.folder / language.document
        if not path.is_file():
            problems.append(f"{path} is missing; write it, with the markers of another network's")
            continue
        tables = {
            name: section(spec.name, name, own, listed["train"], common[name], language) for name, own in listed.items()
        }
        changed.update(replaced(path, tables, problems))
    return changed


def outdated_page(texts: Mapping[str, Any], problems: list[str]) -> dict[Path, str]:
    """The same for the page of the keys that all networks share."""
    listed = {name: rows(*command) for name, command in {**COMMON, **EVERY}.items()}
    changed = {}
    for language in languages(texts, problems):
        tables = {name: section("shared", name, own, listed["train"], [], language) for name, own in listed.items()}
        changed.update(replaced(ROOT / "docs" / language.page, tables, problems))
    return changed


def replaced(path: Path, tables: Mapping[str, str], problems: list[str]) -> dict[Path, str]:
    """The document with these tables in their places, where that changes it."""
    text = old = path.read_text(encoding="utf-8")
    for command, table in tables.items():
        # No other comment may stand between the two: a missing end would take the next table with it.
        place = rf"(<!-- keys: {command} -->)(?:(?!<!--).)*(<!-- end -->)"
        text, count = re.subn(place, partial(_between, table), text, flags=re.DOTALL)
        if count != 1:
            problems.append(
                f"{path} has {count or 'no'} places for the keys of {command}; "
                f"wanted one, between <!-- keys: {command} --> and <!-- end -->"
            )
    return {path: text} if text != old else {}


def commands(spec: ModelSpec) -> dict[str, tuple[type, Mapping[str, Any]]]:
    """The configuration class of each command, and the other spellings that it takes."""
    return {command.name: (command.config(spec), command.aliases(spec)) for command in (TRAIN, EVAL, EXPORT, PREDICT)}


def rows(config_class: type, aliases: Mapping[str, Any]) -> list[Row]:
    """The keys of a command, group by group; last the words that are converted into other keys."""
    found = []
    for title, fields in reading.groups(config_class):
        for key in fields:
            flag = key.name if key.metadata["positional"] else f"--{key.name}"
            spellings = tuple(f"--{word}" for word, meant in aliases.items() if meant == key.name)
            text, choices = key.metadata["help"], key.metadata["choices"]
            found.append(Row(title.split(";")[0], key.name, flag, key.default, spellings, text, choices))
    known = {row.name for row in found}
    for word, meant in aliases.items():
        # A key that is converted itself, such as one that takes the word False for none, has its row already.
        if not isinstance(meant, str) and word not in known and known.issuperset(meant.keys):
            found.append(Row("Converted", word, f"--{word}", None, (), meant.help))
    return found


def section(
    network: str, command: str, listed: list[Row], training: list[Row], common: list[Row], language: Language
) -> str:
    """The table of a command. Keys that are those of all networks (`common`), or of the training, in all respects are
    only named below it.
    """
    everywhere = {replace(row, group="") for row in common}
    same = {replace(row, group="") for row in training} if command != "train" else set()
    named: dict[str, list[str]] = {language.as_in_training: [], language.as_everywhere: []}
    own = []
    for row in listed:
        if replace(row, group="") in everywhere:
            named[language.as_everywhere].append(f"`{row.flag}`")
        elif replace(row, group="") in same:
            named[language.as_in_training].append(f"`{row.flag}`")
        else:
            own.append(row)
    lines = table(network, own, language, grouped=command == "train") if own else []
    for sentence, flags in named.items():
        if flags:
            text = sentence.format(", ".join(flags))
            lines += ["", *textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(lines).strip()


def table(network: str, listed: list[Row], language: Language, *, grouped: bool) -> list[str]:
    lines, group = [_line(language.header), "| --- | --- | --- | --- |"], ""
    for row in listed:
        if grouped and row.group != group:
            group = row.group
            lines.append(_line((f"**{language.group(network, group)}**", "", "", "")))
        text = language.meaning(network, row.name, row.meaning)
        if row.choices:
            text += language.one_of.format(language.between.join(f"`{choice}`" for choice in row.choices))
        spellings = ", ".join(f"`{word}`" for word in row.spellings)
        lines.append(_line((f"`{row.flag}`", _default(row, language), spellings, text)))
    return lines


def _default(row: Row, language: Language) -> str:
    if row.default is None:
        return ""
    return language.nothing if row.default in ("", ()) else reading.show(row.default)


def _line(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in escaped)


def _between(table: str, markers: re.Match[str]) -> str:
    return f"{markers[1]}\n\n{table}\n\n{markers[2]}"


def languages(texts: Mapping[str, Any], problems: list[str]) -> tuple[Language, Language]:
    """English, and Chinese by the translations `texts`; what is missing there is added to `problems`."""
    english = Language(
        document="README.md",
        header=("Flag", "Default", "Other spellings", "Meaning"),
        nothing="none",
        one_of="; one of {}",
        between=", ",
        as_in_training="As for the training: {}.",
        as_everywhere="As for all networks, see [Keys](../../docs/KEYS.md): {}.",
        page="KEYS.md",
        group=lambda network, title: title,
        meaning=lambda network, name, text: text,
    )
    chinese = Language(
        document="README_CN.md",
        header=("参数", "默认值", "其他拼写", "含义"),
        nothing="无",
        one_of="；可选 {}",
        between="、",
        as_in_training="与训练相同：{}。",
        as_everywhere="与所有网络相同，见[键](../../docs/KEYS_CN.md)：{}。",
        page="KEYS_CN.md",
        group=partial(translated_title, texts, problems),
        meaning=partial(translated, texts, problems),
    )
    return english, chinese


def translated_title(texts: Mapping[str, Any], problems: list[str], network: str, title: str) -> str:
    if title not in texts["groups"]:
        problems.append(f"{network}: the group {title!r} has no translation in {TRANSLATIONS.name}")
    return str(texts["groups"].get(title, ""))


def translated(texts: Mapping[str, Any], problems: list[str], network: str, name: str, english: str) -> str:
    """The Chinese of what a key means; the network's own section of the translations comes before the shared one."""
    entries = [entry for part in (network, "shared") for entry in texts.get(part, {}).get(name, ())]
    for entry in entries:
        if entry["en"] == english:
            return str(entry["cn"])
    if entries:
        problems.append(f"{network}: the help of {name} is {english!r} now; translate anew in {TRANSLATIONS.name}")
    else:
        problems.append(f"{network}: the key {name} has no translation in {TRANSLATIONS.name}; its help is {english!r}")
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
