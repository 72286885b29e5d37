"""Errors that are for the person at the keyboard, and the words they are made of."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

# What moves the cursor, ends a line or turns the direction of a text, and the bytes of a name that is no UTF-8.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

LONGEST_LINE = 280
SHORT_WORD = 40  # that is shown whole in any case
SHORTEST_BEGINNING = 3  # of a word, that is taken for the word
LONGEST_READ = 10_000  # characters whose words are looked at: the time this takes grows with the square


class UserError(Exception):
    """Something the user can mend: shown as one or two lines, without a traceback, with exit status 2.

    The message says what was found, what was wanted and what to do. What it lists, if anything, gets a line each.
    """

    def __init__(self, message: str, *listed: str) -> None:
        super().__init__("\n  ".join(fitted(visible(line)) for line in (message, *listed)))


def visible(text: object) -> str:
    """A text of one line that a terminal shows as it is: what it would obey in a file's name becomes an escape."""
    return _INVISIBLE.sub(_escape, str(text))


def _escape(found: re.Match[str]) -> str:
    """A byte that is no UTF-8 is in a name as U+DC00 and the byte."""
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else found[0].encode("unicode_escape").decode("ascii")


def fitted(line: str) -> str:
    """The line in at most LONGEST_LINE characters: what is long in it, a value mostly, keeps its beginning and its end."""
    if len(line) > LONGEST_READ:
        line = without_middle(line, LONGEST_READ)
    while (excess := len(line) - LONGEST_LINE) > 0:
        longest = max(line.split(), key=len, default="")
        if len(longest) <= SHORT_WORD:
            return without_middle(line, LONGEST_LINE)
        line = line.replace(longest, without_middle(longest, max(len(longest) - excess, SHORT_WORD)))
    return line


def without_middle(text: str, length: int) -> str:
    """The text in at most `length` characters: its beginning and its end."""
    return text if len(text) <= length else both_ends(text, (length - 3) // 2 * 2, "...")


def both_ends(text: str, kept: int, mark: str) -> str:
    """The first and the last characters of a text, `kept` in all, with the mark between them."""
    return f"{text[: kept - kept // 2]}{mark}{text[len(text) - kept // 2 :]}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines of a terminal, with each column under its head."""
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    padded = ((cell + " " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return ["  ".join(cells).rstrip() for cells in padded]


def _columns(text: str) -> int:
    """How wide a terminal shows it: a Chinese character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' with the known word nearest to `word`, or nothing where none is near.

    Near is what differs in few letters, one in four of them, and what has the same words or the same beginning:
    `--epochs` is near to `--max_epoch`, and `--csv` not to `--std`.
    """
    plain = _plain(word)
    near = [name for name in known if _is_near(plain, _plain(name))]
    return f" (did you mean {max(near, key=lambda name: _likeness(plain, _plain(name)))}?)" if near else ""


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("-", "_")


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, word, name, autojunk=False).ratio()


def _is_near(word: str, name: str) -> bool:
    if word == name or (len(word) >= SHORTEST_BEGINNING and name.startswith(word)):
        return True
    shorter, longer = sorted((len(word), len(name)))
    ours, theirs = ({part.rstrip("s") for part in one.split("_")} for one in (word, name))
    if 2 * shorter >= longer > 2 and (ours <= theirs or theirs <= ours):
        return True
    most = max(shorter // 4, 1)
    return longer - shorter <= most and 2 * most < longer and _edits(word, name) <= most


def _edits(one: str, other: str) -> int:
    """How many letters are put in, left out or changed, or change places with the next one, from one word to the other."""
    rows = [[*range(len(other) + 1)]]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            least = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != wanted))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


def counted(count: int, noun: str) -> str:
    """'1 image', '2 images', '2 classes': how many, with the noun as it is after that number."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def shorten(names: Iterable[str], most: int = 5) -> str:
    """'a, b, c and 4 more': the first `most` of the names, and how many were left out."""
    listed = list(names)
    text = ", ".join(listed[:most])
    return f"{text} and {len(listed) - most} more" if len(listed) > most else text
