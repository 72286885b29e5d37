"""One value of a configuration: of its type, among its choices, in its range."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import typing
import unicodedata
from collections.abc import Mapping
from types import GenericAlias
from typing import Any

from mindzoo.utils.errors import UserError, nearest

# In bytes: what Linux takes for a name, and half of what it takes for a path, since names of ours are added.
LONGEST_PATH, LONGEST_NAME = 2000, 255
# Of keys without a `maximum`: what int32 and float32 hold.
LARGEST: dict[type, float] = {int: 2**31 - 1, float: 3.4e38, bool: 1}
MOST_DIGITS = 15  # of a whole number that is shown with all of them
WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def convert(kind: Any, value: Any, name: str) -> Any:
    """`value`, a text from the command line or an object from YAML, as the type `kind`.

    A text None is an empty one: it is what commands of the original zoo give for a path that they have not.

    Raises:
        UserError: `name` is given to it; says what was found and what is wanted.
    """
    if isinstance(kind, GenericAlias):
        return _convert_tuple(typing.get_args(kind)[0], value, name)
    if kind is bool:
        word = str(value).strip().lower()
        if word in WORDS:
            return WORDS[word]
    elif kind is str:
        if value in (None, "None"):
            return ""
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return _checked_text(str(value), name)
    elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
        number = _number(kind, value)
        if number is not None:
            return number
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
    shown = repr(value) if len(repr(value)) <= 100 else f"{repr(value)[:97]}..."
    raise UserError(f"{name} is {shown}; wanted {wanted}")


def _number(kind: type, value: Any) -> Any:
    """An int or a finite float, None where `value` is neither."""
    try:
        if kind is float:
            return float(value) if math.isfinite(float(value)) else None
        return int(value) if not isinstance(value, float) or value.is_integer() else None
    except (ValueError, OverflowError):
        return int(float(value)) if kind is int and _is_whole(value) else None


def _is_whole(value: Any) -> bool:
    """Whether a text such as 1e5 or 7.0 is a whole number."""
    try:
        return float(value).is_integer()
    except ValueError:
        return False


def _convert_tuple(kind: type, value: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.strip().strip("[]()").split(",") if part.strip()]
    elif not isinstance(value, (list, tuple)):
        value = [] if value is None else [value]
    return tuple(convert(kind, part, name) for part in value)


def check_range(spec: dataclasses.Field[Any], value: Any) -> None:
    choices, low, high = (spec.metadata.get(name) for name in ("choices", "minimum", "maximum"))
    values = value if isinstance(value, tuple) else (value,)
    for one in values:
        if choices and one not in choices:
            words = ", ".join(str(choice) for choice in choices)
            raise UserError(f"{spec.name} is {one}; wanted one of {words}{nearest(str(one), map(str, choices))}")
    for number in values:
        if not isinstance(number, (int, float)):
            continue
        if not (low is None or number >= low) or not (high is None or number <= high):
            above = f"at least {_shown(low)}" if low is not None else ""
            below = f"at most {_shown(high)}" if high is not None else ""
            raise UserError(f"{spec.name} is {_shown(number)}; wanted {' and '.join(filter(None, (above, below)))}")
        limit = LARGEST[type(number)]
        if high is None and not abs(number) <= limit:
            raise UserError(f"{spec.name} is {_shown(number)}; wanted {_shown(limit)} at most")


def checked_values(what: str, values: Mapping[str, Any], config_class: type) -> dict[str, Any]:
    """What a file of ours says of some keys of `config_class`, with lists as tuples.

    Raises:
        UserError: `what`, as the values together are called, has an unknown key, or a value is none that we write.
    """
    fields = {spec.name: spec for spec in dataclasses.fields(config_class)}
    kinds, found = typing.get_type_hints(config_class), {}
    for name, value in values.items():
        if name not in fields:
            raise UserError(f"{what} has {name}, which is not known")
        found[name] = convert(kinds[name], value, name)
        check_range(fields[name], found[name])
        # A text is converted too, as on the command line; a file of ours has the value itself.
        if (list(found[name]) if isinstance(found[name], tuple) else found[name]) != value:
            raise UserError(f"{name} is {str(value)[:100]}; wanted {str(found[name])[:100]}")
    return found


def _shown(number: float) -> str:
    """Short, whatever a number it is; whole ones with all of their digits, unless these are too many."""
    if abs(number) < 10**MOST_DIGITS and float(number).is_integer():
        return str(int(number))
    return f"{number:g}" if abs(number) < LARGEST[float] else f"{str(number)[:12]}..."


def _checked_text(text: str, name: str) -> str:
    """Refuse what no file can be called, before a file system does, and what must not get into a log.

    Raises:
        UserError: says so; without the text where that holds a password.
    """
    if re.match(
        r"[A-Za-z][\w+.-]*://([^/]*@|.*[?&][\w-]*(signature|accesskeyid|credential|security-?token)=)", text, re.I
    ):
        raise UserError(
            f"{name} is an address with credentials in it, which would get into logs; wanted it without: they belong "
            "into the environment"
        )
    odd = next((character for character in text if unicodedata.category(character) == "Cc"), "")
    if odd:
        raise UserError(f"{name} holds a control character, {odd!a}; wanted a text without")
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        raise UserError(f"{name} is {text[:60]!a}, which is no Unicode text; wanted one") from None
    if len(encoded) > LONGEST_PATH or max(map(len, encoded.split(b"/"))) > LONGEST_NAME:
        raise UserError(f"{name} is {text[:60]}... and {len(text)} characters long, which no path may be")
    return text
