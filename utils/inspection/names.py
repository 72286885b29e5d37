"""Names of files and class folders: which differ in spelling only, and which are odd."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from mindzoo.utils.data.listing import composed, is_utf8
from mindzoo.utils.errors import visible

# In which names are written that are not UTF-8, the most frequent first; and which UTF-8 is mistaken for.
OF_TWO_BYTES = ("gb18030", "big5", "shift_jis", "euc_kr")
OF_ONE_BYTE = ("cp1252", "cp437", "latin-1")
LONG = 255  # characters of a path, which is what some programs and file systems take at most


def form(name: str) -> str:
    """The same text for names that differ in Unicode normalisation or case only."""
    return name.lower() if name.isascii() else composed(composed(name).casefold())


def difference(one: str, other: str) -> str:
    """In what two names differ that are alike."""
    if form(one) != form(other):
        return "encoding"
    if composed(one) == composed(other):
        return "Unicode normalisation"
    return "case" if one.casefold() == other.casefold() else "case and Unicode normalisation"


def told_apart(one: str, other: str) -> str:
    """What is said of a name beside one that it is like."""
    how = difference(one, other)
    spelled = f" ({one!a} and {other!a})" if "normalisation" in how else ""
    return f"and {other} differ in {how}{spelled}"


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in case, in Unicode normalisation, or as one text in two encodings."""
    first: dict[str, str] = {}
    pairs, unusual = [], []
    for name in names:
        other = first.setdefault(form(name), name)
        if other != name:
            pairs.append((name, other))
        elif not name.isascii():
            unusual.append(name)
    return pairs + [(name, twin) for name in unusual if (twin := twin_in(first, name))]


def twin_in(names: Mapping[str, str], name: str) -> str:
    """The one of these names, by form, that is the same text in another encoding; "" where there is none."""
    own = form(name)
    return next((names[text] for text in _readings(name) if text != own and text in names), "")


def _readings(name: str) -> list[str]:
    """The forms of what a name's bytes mean in other encodings, or of what was meant before a wrong one was assumed."""
    raw = []
    if is_utf8(name):
        for encoding in OF_ONE_BYTE + OF_TWO_BYTES:
            with suppress(UnicodeEncodeError):
                raw.append(name.encode(encoding))
    else:
        raw.append(os.fsencode(name))
    found = []
    for content in raw:
        for encoding in ("utf-8", *OF_TWO_BYTES, *OF_ONE_BYTE):
            with suppress(UnicodeDecodeError):
                found.append(form(content.decode(encoding)))
    return found


def in_words(name: str) -> str:
    """What a name that is not UTF-8 probably means."""
    raw = os.fsencode(name)
    pairs = re.search(rb"[\x80-\xff]{2}", raw)
    for encoding in OF_TWO_BYTES + OF_ONE_BYTE if pairs else OF_ONE_BYTE:
        with suppress(UnicodeDecodeError):
            return f"in {encoding} it is {raw.decode(encoding)}"
    return ""


def has_control_characters(name: str) -> bool:
    """Whether a terminal would obey something in the name."""
    return is_utf8(name) and visible(name) != name
