"""Values of a rank table: numbers that may be texts, and how a sentence shows what stands there."""

from __future__ import annotations

import json
import re
from typing import Any

LARGEST_NUMBER = 10**10


def whole(value: Any) -> int | None:
    """The number from 0 that an int or a text is; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,10}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER else None


def kind(value: Any) -> str:
    """What a value is, with an article."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def shown(value: Any) -> str:
    """A value as the sentence names it; a long one is cut."""
    if value is None:
        return "missing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
