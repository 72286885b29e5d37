"""The bytes of an image file, with a word on why they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from mindzoo.utils.data.listing import not_a_file, other_kind
from mindzoo.utils.images.fault import Fault

MOST_BYTES = 1 << 30  # of a file


def read_file(path: str | Path) -> bytes:
    """The content of an image file.

    Raises:
        Fault: it cannot be opened, is no regular file, or too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without this a pipe would wait for its other end
    except OSError as error:
        raise Fault(not_a_file(Path(path)) or f"cannot be opened: {error.strerror}") from None
    try:
        return _content(handle)
    except OSError as error:
        raise Fault(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)


def _content(handle: int) -> bytes:
    about = os.fstat(handle)
    if reason := other_kind(about.st_mode) or fault_of_size(about.st_size):
        raise Fault(reason)
    content = os.read(handle, about.st_size)
    while len(content) < about.st_size and (more := os.read(handle, about.st_size - len(content))):
        content += more
    return content


def fault_of_size(size: int) -> str:
    """What is wrong with a file of so many bytes, or ""."""
    if not size:
        return "is empty: 0 bytes"
    return f"has {MOST_BYTES >> 20} MB or more; is it an image?" if size >= MOST_BYTES else ""
