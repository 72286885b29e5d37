"""What was found, for people and for programs."""

from __future__ import annotations

import statistics
from typing import Any

from mindzoo import __version__
from mindzoo.utils.errors import counted, fitted, visible
from mindzoo.utils.inspection.findings import KINDS, Entry, Findings
from mindzoo.utils.inspection.survey import Split
from mindzoo.utils.log import logger

MOST_NAMED = 5  # of each kind
MOST_CLASSES = 8  # whose sizes are told one by one


def tell(splits: list[Split], findings: Findings, output: str) -> None:
    """Log the sizes of the classes, and what was found of each kind; `output`: where all names are, if anywhere."""
    for split in splits:
        for line in sizes_in_words(split):
            _say(line)
    more = False
    for kind, entries in findings.found():
        _say(f"{KINDS[kind].level:9}{len(entries):>7}  {KINDS[kind].title}")
        for entry in entries[:MOST_NAMED]:
            _say(f"{'':18}{in_words(entry)}")
        if len(entries) > MOST_NAMED:
            _say(f"{'':18}and {len(entries) - MOST_NAMED} more")
            more = True
    if more:
        _say(f"all names are in {output}" if output else "all names: --output FILE.json")


def sizes_in_words(split: Split) -> list[str]:
    """How many images a split has, and its classes."""
    found, good = len(split), sum(split.good.values())
    unread = f", of which {found - good} cannot be read" if found > good else ""
    lines = [f"{split.name}: {counted(found, 'image')} of {counted(len(split.classes), 'class')}{unread}"]
    if not split.good:
        return lines
    sizes = sorted(split.good.items(), key=lambda item: -item[1])
    numbers = [size for _, size in sizes]
    lines.append(f"  images per class: {numbers[-1]} to {numbers[0]}, median {statistics.median(numbers):g}")
    shown = sizes
    if len(sizes) > MOST_CLASSES:
        half = MOST_CLASSES // 2
        shown = [*sizes[:half], ("...", 0), *sizes[-half:]]
    lines.append("  " + ", ".join(name if name == "..." and not size else f"{name} {size}" for name, size in shown))
    return lines


def in_words(entry: Entry) -> str:
    """A name and what there is to say of it."""
    return f"{entry.name} {entry.detail}".rstrip()


def facts(folder: str, splits: list[Split], findings: Findings) -> dict[str, Any]:
    """What a program may want to know: sizes by class, and every name."""
    return {
        "mindzoo": __version__,
        "folder": folder,
        "splits": [
            {
                "folder": split.name,
                "split": split.kind or None,
                "images": len(split),
                "readable": sum(split.good.values()),
                "classes": {
                    name: {"images": len(images), "readable": split.good[name]}
                    for name, images in split.classes.items()
                },
            }
            for split in splits
        ],
        "problems": findings.problems,
        "findings": [
            {
                "kind": kind,
                "level": KINDS[kind].level,
                "title": KINDS[kind].title,
                "count": len(entries),
                "entries": [entry._asdict() for entry in entries],
            }
            for kind, entries in findings.found()
        ],
    }


def summary(findings: Findings) -> str:
    """The last line."""
    counts = dict.fromkeys(("problem", "note"), 0)
    for kind, entries in findings.found():
        counts[KINDS[kind].level] += len(entries)
    words = [counted(count, level) for level, count in counts.items() if count]
    return " and ".join(words) or "nothing is wrong"


def _say(line: str) -> None:
    logger.info("%s", fitted(visible(line)))
