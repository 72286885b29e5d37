"""The pages of the repository, and what stands in them: headings, tables, fenced blocks, links."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import cache

from mindzoo.models import list_models
from mindzoo.tests.support.paths import ROOT

USER_PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in [
            "TRAINING",
            "IMAGES",
            "DATA",
            "KEYS",
            "EVALUATION",
            "PYTHON",
            "EXPORT",
            "REPORTS",
            "RETRIEVAL",
            "STORAGE",
            "CLUSTERS",
            "RELIABILITY",
        ]
    ),
    "models/README.md",
    *(f"models/{name}/README.md" for name in list_models()),
)
CONTRIBUTORS_PAGES = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    *(f"docs/{name}.md" for name in ["ARCHITECTURE", "ADD_A_NETWORK", "BENCHMARKS", "OPERATORS"]),
    "tests/README.md",
)

_FENCE = re.compile(r"( *)(```+|~~~+) *([\w-]*)")
_LINK = re.compile(
    r"\]\(\s*<?([^\s)>]+)>?(?:\s+[\"'][^)]*)?\)|^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)|\b(?:href|src)=\"([^\"]+)\""
)


@cache
def tracked() -> tuple[str, ...]:
    """The files of the repository that a fresh clone has."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def tracked_pages() -> list[str]:
    return [name for name in tracked() if name.endswith(".md")]


def chinese(page: str) -> str:
    return page.removesuffix(".md") + "_CN.md"


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int  # of its fence, from 1
    language: str
    text: str
    before: str  # the line directly before its fence


class Page:
    """One Markdown file of the repository, by its path in it."""

    def __init__(self, name: str, text: str | None = None) -> None:
        self.name = name
        self.text = (ROOT / name).read_text(encoding="utf-8") if text is None else text
        self.blocks: list[Block] = []
        self.prose: list[str] = []  # the lines, those of fenced blocks empty
        self._split()

    def _split(self) -> None:
        lines = self.text.splitlines()
        opened: tuple[int, re.Match[str]] | None = None
        inside: list[str] = []
        for number, line in enumerate(lines):
            fence = _FENCE.match(line)
            if opened is None and fence is None:
                self.prose.append(line)
                continue
            self.prose.append("")
            if opened is None:
                assert fence is not None
                opened, inside = (number, fence), []
            elif line.strip() and set(line.strip()) == {opened[1][2][0]} and len(line.strip()) >= len(opened[1][2]):
                start, mark = opened
                text = "".join(f"{part.removeprefix(mark[1])}\n" for part in inside)
                before = lines[start - 1].strip() if start else ""
                self.blocks.append(Block(self.name, start + 1, mark[3], text, before))
                opened = None
            else:
                inside.append(line)
        if opened is not None:
            raise ValueError(f"{self.name}:{opened[0] + 1}: the block has no end")

    def headings(self) -> list[tuple[int, int, str]]:
        """(line, level, text) of each."""
        found = ((number, re.match(r"(#{1,6}) +(.*?)[ #]*$", line)) for number, line in enumerate(self.prose, 1))
        return [(number, len(match[1]), match[2]) for number, match in found if match]

    def anchors(self) -> set[str]:
        """What a link may name behind the `#`: GitHub's names of the headings, and those that HTML gives."""
        return {*re.findall(r"<a (?:id|name)=\"([^\"]+)\"", "\n".join(self.prose)), *self.heading_anchors()}

    def heading_anchors(self) -> list[str]:
        """GitHub's name of each heading, in order."""
        seen: Counter[str] = Counter()
        names = []
        for _, _, text in self.headings():
            name = anchor(text)
            names.append(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        return names

    def tables(self) -> list[tuple[int, list[int]]]:
        """(line, columns of each row) of each."""
        found: list[tuple[int, list[int]]] = []
        for number, line in enumerate(self.prose, 1):
            if not line.lstrip().startswith("|"):
                continue
            if not found or number != found[-1][0] + len(found[-1][1]):
                found.append((number, []))
            found[-1][1].append(len(re.findall(r"(?<!\\)\|", line.strip().removesuffix("|"))))
        return found

    def links(self) -> list[tuple[int, str]]:
        """(line, target) of each link and picture."""
        found = []
        for number, line in enumerate(self.prose, 1):
            for match in _LINK.finditer(re.sub(r"(`+).+?\1", "code", line)):
                found.append((number, next(filter(None, match.groups()))))
        return found

    def code_spans(self) -> list[tuple[int, str]]:
        """(line, text) of what stands between backticks."""
        return [
            (number, match[2].strip())
            for number, line in enumerate(self.prose, 1)
            for match in re.finditer(r"(`+)(.+?)\1", line)
        ]


def anchor(heading: str) -> str:
    """The name by which GitHub links a heading: lower case, without punctuation, spaces as hyphens."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
