"""The bytes of an image file, with a word on why they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from mindzoo.utils.data.listing import not_a_file
from mindzoo.utils.images.fault import Fault

MOST_BYTES = 1 << 30  # of a file


def read_file(path: Path) -> bytes:
    """The content of an image file.

    Raises:
        Fault: it cannot be opened, is no regular file, or too large.
    """
    if reason := not_a_file(path):
        raise Fault(reason)
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if reason := fault_of_size(size):
                raise Fault(reason)
            return file.read(size) or b""
    except OSError as error:
        raise Fault(f"cannot be opened: {error.strerror}") from None


def fault_of_size(size: int) -> str:
    """What is wrong with a file of so many bytes, or ""."""
    if not size:
        return "is empty: 0 bytes"
    return f"has {MOST_BYTES >> 20} MB or more; is it an image?" if size >= MOST_BYTES else ""
