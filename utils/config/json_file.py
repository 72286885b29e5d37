"""JSON that somebody else wrote: read soon, or refused in a sentence."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from mindzoo.utils.errors import UserError, visible
from mindzoo.utils.files import is_special

MOST_BYTES = 10_000_000
DEEPEST = 50  # lists and objects in each other
LONGEST_NUMBER = 100  # characters
LONGEST_KEY = 60  # that is shown
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path, what: str, hint: str, *, most: int = MOST_BYTES, errors: str = "strict") -> Any:
    """The content of a JSON file; the arguments are those of `read_text`.

    Raises:
        UserError: see `read_text` and `parse_json`.
    """
    try:
        return parse_json(read_text(path, what, hint, most=most, errors=errors))
    except ValueError as error:
        raise UserError(f"the {what} {path} {error}; {hint}") from None


def read_text(path: Path, what: str, hint: str, *, most: int = MOST_BYTES, errors: str = "strict") -> str:
    """The content of a file in UTF-8, with or without a byte order mark.

    Args:
        what: the file is, for the sentence: "rank table".
        hint: what to do, for the sentence.
        most: bytes.
        errors: how to decode what is no UTF-8; "surrogateescape" keeps the bytes, as names of files need it.

    Raises:
        UserError: it is missing, cannot be read, is empty, too large, or no text.
    """
    if is_special(path):
        raise UserError(f"the {what} {path} is no file, but a pipe or a device; {hint}")
    try:
        with open(path, "rb") as file:
            raw = file.read(most + 1)
        if len(raw) > most:
            raise UserError(f"the {what} {path} has more than {most:,} bytes; is it another file? {hint}")
        text = raw.decode("utf-8-sig", errors)
    except FileNotFoundError:
        raise UserError(f"there is no {what} {path}; {hint}") from None
    except OSError as error:
        raise UserError(f"cannot read the {what} {path}: {error.strerror or error}; {hint}") from None
    except UnicodeDecodeError:
        raise UserError(f"the {what} {path} is not text in UTF-8; {hint}") from None
    if not text.strip():
        raise UserError(f"the {what} {path} is empty; {hint}")
    return text


def parse_json(text: str, *, finite: bool = True) -> Any:
    """The value that a text of JSON means. Numbers are finite, unless they need not be, and no key stands twice.

    Raises:
        ValueError: what is wrong with the text, such as "is empty" and "nests more than 50 levels deep".
    """
    if not text.strip():
        raise ValueError("is empty")
    try:
        content = (_DECODER if finite else _ANY_NUMBERS).decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    level = [content]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            break
    else:
        raise _too_deep()
    if _HALF.search(text):
        _check_whole(content)
    return content


def _check_whole(content: Any) -> None:
    """Refuse what no file could be written with; a byte of a name that is no UTF-8 is not of that kind."""
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("holds half of a character, a lone surrogate") from None


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ValueError:
    return ValueError(f"nests more than {DEEPEST} levels deep")


def _whole(text: str) -> int:
    return int(_short(text))


def _fraction(text: str) -> float:
    number = float(_short(text))
    if not math.isfinite(number):
        raise ValueError(f"holds the number {text}, which is too large")
    return number


def _short(text: str) -> str:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"holds a number of {len(text):,} characters")
    return text


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which is no number in JSON")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            shown = key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}..."
            raise ValueError(f'holds the key "{visible(shown)}" twice')
        found[key] = value
    return found


# NaN and infinity too, as Python writes them.
_ANY_NUMBERS = json.JSONDecoder(object_pairs_hook=_each_once, parse_int=_whole)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_each_once, parse_int=_whole, parse_float=_fraction, parse_constant=_no_number
)
