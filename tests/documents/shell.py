"""The commands of a block for bash: what they start with which words, and the flags that each program knows."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

from mindzoo import cli
from mindzoo.models import SPECS
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.inference import export_beside

PYTHONS = ("python", "python3", ".venv/bin/python")
_LAUNCHER = re.compile(r"models/(\w+)/scripts/\w+\.sh")
_ENTRY_POINT = re.compile(r"models/(\w+)/(train|eval|export)\.py")


class CommandError(Exception):
    """A command that cannot run as it is written."""


@dataclass(frozen=True)
class Line:
    """One line of a block, with those that a backslash or an open quote joins to it."""

    number: int  # from 0, in the block
    code: str  # without comments
    document: str = ""  # that stands behind it, of <<END


def lines(text: str) -> list[Line]:
    """The lines of a block, without empty ones and comments.

    Raises:
        CommandError: a quote, a backslash or a here-document has no end.
    """
    found: list[Line] = []
    start, held, quote, end, document = 0, "", "", "", ""
    for number, written in enumerate(text.splitlines()):
        if end and written.strip() != end:
            document += f"{written}\n"
            continue
        if end:
            found[-1] = Line(found[-1].number, found[-1].code, document)
            end = document = ""
            continue
        start = start if held else number
        code, quote = _without_comment(written, quote)
        held += code
        if quote:
            held += "\n"
        elif code.endswith("\\"):
            held = held[:-1]
        elif held.strip():
            found.append(Line(start, held.strip()))
            here = re.search(r"<<-?\s*(['\"]?)(\w+)\1", held)
            held, end = "", here[2] if here else ""
        else:
            held = ""
    if held or end:
        raise CommandError(f"a quote, a backslash or a here-document has no end: {held or end}")
    return found


def _without_comment(line: str, quote: str) -> tuple[str, str]:
    """The line without its comment, and the quote that is open at its end; `quote` is open where it begins."""
    position = 0
    while position < len(line):
        sign = line[position]
        if sign == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "#" and (position == 0 or line[position - 1] in " \t;&|("):
            return line[:position].rstrip(), ""
        position += 1
    return line if quote else line.rstrip(), quote


def commands(line: str) -> list[list[str]]:
    """The words of each command of a line, without assignments in front and without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if re.fullmatch(r"[<>]+&?|&>+", word):
            next(words, None)  # the file
        elif re.fullmatch(r"[();|&<>]+", word):
            found.append([])
        elif found[-1] or not re.match(r"\w+=", word):
            found[-1].append(word)
    return [words for words in found if words]


def check_block(text: str, folder: Path) -> None:
    """Refuse a block whose commands name a script that is not there, or a flag that its program does not know.

    Raises:
        CommandError: says in which line, from 0, and what is wrong.
    """
    for line in lines(text):
        for words in commands(line.code):
            if words[0] == "cd":
                folder = folder / words[1]
            try:
                _check(words, folder)
            except CommandError as wrong:
                raise CommandError(f"line {line.number + 1} of the block: {wrong}: {' '.join(words)}") from None


def _check(words: Sequence[str], folder: Path) -> None:
    program, *rest = words
    if program == "mindzoo":
        _check_mindzoo(rest)
    elif program in PYTHONS and rest and (folder / rest[0]).resolve() == ROOT.resolve():
        _check_mindzoo(rest[1:])
    elif program in PYTHONS and rest and rest[0].endswith(tuple(export_beside.ENDINGS.values())):
        _refuse_unknown(rest[1:], set(), rest[0])  # an export writes it
    elif program in PYTHONS and rest and not rest[0].startswith("-"):
        script = _find(rest[0], folder)
        entry_point = _ENTRY_POINT.fullmatch(script)
        if entry_point:
            _check_mindzoo([entry_point[2], entry_point[1], *rest[1:]])
        elif script:
            _refuse_unknown(rest[1:], known_by_script(script), rest[0])
    elif program in ("bash", "sh") and rest and not rest[0].startswith("-"):
        _check_shell_script(_find(rest[0], folder), rest)


def _find(script: str, folder: Path) -> str:
    """The path of a script in the repository."""
    path = (folder / script).resolve()
    if not path.is_file() or ROOT.resolve() not in path.parents:
        raise CommandError(f"there is no {script}")
    return str(path.relative_to(ROOT.resolve()))


def _check_mindzoo(words: Sequence[str]) -> None:
    """`words` stand behind `mindzoo`."""
    if not words or words[0].startswith("-"):
        return _refuse_unknown(words, {"--help", "--version"}, "mindzoo")
    command, rest, behind = words[0], list(words[1:]), []
    # `info` takes a network or a file.
    networks = rest[:1] if takes_a_network(command) or (rest[:1] and rest[0] in SPECS) else []
    about = [command, *networks]
    if command == "launch":
        own = rest[: rest.index("--")] if "--" in rest else rest
        rest, behind = own, rest[len(own) + 1 :]
        about += own[1:2]
    _refuse_unknown(rest, known_by_mindzoo(tuple(about)), " ".join(["mindzoo", *about]))
    if command == "launch":
        _check_mindzoo([*own[1:2], *networks, *behind])
    elif networks:
        _check_recipe(networks[0], rest)
    return None


def _check_recipe(network: str, words: Sequence[str]) -> None:
    for flag, value in itertools.pairwise(words):
        if flag in ("--config_path", "--config") and "/" not in value and value == value.lower():
            name = value if value.endswith(".yaml") else f"{value}.yaml"
            if not (SPECS[network].recipes / name).is_file():
                raise CommandError(f"{network} has no recipe {value}")


def _check_shell_script(script: str, words: Sequence[str]) -> None:
    launcher = _LAUNCHER.fullmatch(script)
    if not launcher:
        return _refuse_unknown(words[1:], known_by_shell_script(script), words[0])
    own = words[: words.index("--")] if "--" in words else words
    _refuse_unknown(own[1:], {"--foreground"}, words[0])
    return _check_mindzoo(["eval" if "eval" in script else "train", launcher[1], *words[len(own) + 1 :]])


def _refuse_unknown(words: Sequence[str], known: frozenset[str] | set[str], program: str) -> None:
    flags = [word.split("=")[0] for word in words if re.match(r"--[A-Za-z]", word)]
    unknown = [flag for flag in flags if flag not in known]
    if unknown:
        raise CommandError(f"{program} does not know {', '.join(unknown)}")


def takes_a_network(command: str) -> bool:
    return "NETWORK" in help_of_mindzoo((command,)).splitlines()[0]


def known_by_mindzoo(words: tuple[str, ...]) -> frozenset[str]:
    """The flags that `mindzoo WORDS --help` lists."""
    return _listed(help_of_mindzoo(words))


@cache
def help_of_mindzoo(words: tuple[str, ...]) -> str:
    status, text = _output_of(lambda: cli.main([*words, "--help"]))
    if status:
        raise CommandError(f"mindzoo {' '.join(words)}: {text.strip()}")
    return text


@cache
def known_by_script(script: str) -> frozenset[str]:
    """The flags that `python SCRIPT --help` lists."""

    def run() -> None:
        with mock.patch.object(sys, "argv", [script, "--help"]):
            runpy.run_path(str(ROOT / script), run_name="__main__")

    status, text = _output_of(run)
    assert status == 0, text
    return _listed(text)


@cache
def known_by_shell_script(script: str) -> frozenset[str]:
    """The flags that a script for bash names, and those of the Python script of its name that it hands them on to."""
    path = ROOT / script
    named = frozenset(re.findall(r"(--[A-Za-z][\w-]*)\)", path.read_text(encoding="utf-8")))
    other = path.with_suffix(".py")
    return named | (known_by_script(str(other.relative_to(ROOT))) if other.is_file() else frozenset())


def _listed(text: str) -> frozenset[str]:
    """The flags of a help text: what its lines begin with, not what its sentences mention."""
    names = re.findall(r"^ +(-\S.*?)(?:  |$)", text, flags=re.MULTILINE)
    return frozenset(flag for line in names for flag in re.findall(r"(?:^|, |\s)(--[A-Za-z][\w-]*)", line))


def _output_of(call: object) -> tuple[int, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            status = call()  # type: ignore[operator]
        except SystemExit as end:
            status = end.code
    return int(status or 0), output.getvalue()
