"""A folder by a path that MindSpore takes."""

from __future__ import annotations

import atexit
import functools
import os
import tempfile
from pathlib import Path

from mindzoo.utils.data.listing import is_utf8

LONGEST_FOLDER = 200  # bytes of a path; MindSpore takes some more


@functools.cache
def short_path(folder: Path) -> str:
    """The folder, behind a link that lasts as long as this process where MindSpore cannot take its path.

    That is one that is too long, or no UTF-8.
    """
    path = str(folder)
    if len(os.fsencode(path)) < LONGEST_FOLDER and is_utf8(path):
        return path
    place = tempfile.TemporaryDirectory(prefix="mindzoo-")
    atexit.register(place.cleanup)
    link = Path(place.name) / "data"
    link.symlink_to(folder.resolve(), target_is_directory=True)
    return str(link)
