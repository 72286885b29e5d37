"""Fonts for names of any script: those of this machine that have the characters, else their numbers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

OWN = "DejaVu Sans"  # comes with matplotlib; it has no Chinese, Japanese or Korean
BOXES = "Last Resort"  # begins the name of the font, also of matplotlib's, that draws all characters alike


def families(texts: Iterable[str]) -> tuple[list[str], set[str]]:
    """Names of fonts for `font.family`, and the characters that no font of this machine has."""
    found, missing = files(texts)
    return [*found], missing


def files(texts: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """The same fonts in the order in which a character is looked for in them, {name: file}, and the missing characters."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    found: dict[str, str] = {OWN: str(font_manager.findfont(OWN))}
    missing = set("".join(texts)) - characters(found[OWN])
    if not missing:
        return found, missing
    upright = {
        entry.name: entry.fname
        for entry in manager.ttflist
        if entry.style == "normal" and entry.weight == 400 and not entry.name.startswith(BOXES)
    }
    has = {name: missing & characters(path) for name, path in sorted(upright.items())}
    while missing:
        best = max(has, key=lambda name: len(has[name] & missing), default="")
        if not best or not has[best] & missing:
            break
        found[best] = upright[best]
        missing -= has[best]
    return found, missing


def drawable(text: str, missing: set[str]) -> str:
    """The text with the numbers of the characters that are missing."""
    return "".join(f"\\u{ord(character):04x}" if character in missing else character for character in text)


def characters(path: str) -> set[str]:
    """What a font can draw in any size."""
    from matplotlib.ft2font import FT2Font

    with suppress(RuntimeError, OSError):  # a damaged one, or one of small pictures
        font = FT2Font(path)
        font.set_size(10, 72)
        return {chr(code) for code in font.get_charmap()}
    return set()
