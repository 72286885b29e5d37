"""Errors that are for the person at the keyboard, and the words they are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: shown as one or two lines, without a traceback, with exit status 2.

    The message says what was found, what was wanted and what to do.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' with the known word nearest to `word`, or nothing where none is near."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]}?)" if matches else ""


def shorten(names: Iterable[str], most: int = 5) -> str:
    """'a, b, c and 4 more': the first `most` of the names, and how many were left out."""
    listed = list(names)
    text = ", ".join(listed[:most])
    return f"{text} and {len(listed) - most} more" if len(listed) > most else text
