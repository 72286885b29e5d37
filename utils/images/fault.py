"""What is wrong with a file, and the limit on its pixels that all kinds of files share."""

from __future__ import annotations

from collections.abc import Sequence

MOST_PIXELS = 120_000_000  # 360 MB in memory; the largest pictures of phones in common use have 108 million
MOST_ENLARGED = 1000  # times that MindSpore resizes a side


class Fault(Exception):  # noqa: N818 - it is what is wrong with a file
    """Why a file cannot be read, as the end of a sentence that begins with its name."""


def named(name: str, fault: Fault) -> Fault:
    """The fault with the name of the file, for a reader that would not know it; `unnamed` takes it off again."""
    return Fault(f"{name}\t{fault}")


def unnamed(text: str) -> str:
    """The text of a fault without the name."""
    return text.rpartition("\t")[2]


def check_size(width: int, height: int) -> None:
    """Refuse a picture that would take too much memory, before anything is decoded.

    Raises:
        Fault: it has no pixels, or more than MOST_PIXELS.
    """
    if width <= 0 or height <= 0:
        raise Fault("is damaged: it has no pixels")
    if width * height > MOST_PIXELS:
        raise Fault(too_large(f"{width} x {height}"))


def too_large(count: str) -> str:
    """What is said of a file of so many pixels."""
    return f"has {count} pixels; {MOST_PIXELS // 1_000_000} million at most are read"


def check_resized(width: int, height: int, wanted: Sequence[int], *, whole: bool) -> None:
    """Refuse a picture whose resized form would take too much memory, as that of one that is long and thin.

    Args:
        wanted: height and width that it is resized to.
        whole: its shorter side is resized to the longer of these, and the other one with it.

    Raises:
        Fault: it is too long for its width, or too small.
    """
    shorter, longer = sorted((width, height))
    size = max(wanted)
    if size > MOST_ENLARGED * shorter:
        raise Fault(f"is {width} x {height} pixels, too small to be enlarged to {size}")
    if whole and size * size * longer > MOST_PIXELS * shorter:
        raise Fault(f"is {width} x {height} pixels, too long and thin to be resized to {size}")
