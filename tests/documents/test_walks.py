"""The three walks of docs/ARCHITECTURE.md: short, forward only, and along files and names that exist."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest

from mindzoo.tests.support.paths import ROOT

MOST_FILES = 6


class Stop(NamedTuple):
    """One file of a walk, and the names that are met in it."""

    file: str
    names: list[str]


def walks() -> dict[str, list[Stop]]:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text[text.index("## Three walks") :], flags=re.MULTILINE)[1]
    found = {}
    for part in re.split(r"^### ", section, flags=re.MULTILINE)[1:]:
        title, *rest = part.splitlines()
        numbered = re.split(r"^\d+\. ", "\n".join(rest), flags=re.MULTILINE)[1:]
        quoted = [re.findall(r"`([^`]+)`", item) for item in numbered]
        found[title] = [
            Stop(words[0], [word for word in words[1:] if re.fullmatch(r"[\w.]+", word)]) for words in quoted
        ]
    return found


def defined(file: str) -> set[str]:
    """Functions, classes, their methods, and constants of a file."""
    names = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize("title", walks())
def test_a_walk_is_short_and_never_goes_back(title: str) -> None:
    files = [stop.file for stop in walks()[title]]
    assert 3 < len(files) <= MOST_FILES
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("title", walks())
def test_files_and_names_of_a_walk_exist(title: str) -> None:
    for file, names in walks()[title]:
        missing = [name for name in names if name not in defined(file)]
        assert missing == [], f"{file} has no {missing}"


def test_there_are_three_walks_with_names() -> None:
    assert len(walks()) == 3
    assert all(sum(len(stop.names) for stop in stops) >= 5 for stops in walks().values())
