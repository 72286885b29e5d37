"""The file that a rank table is in: found in a folder, and waited for until a platform has written it whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import aside

# In a folder that a platform gives: of ModelArts, and of those of Kubernetes.
NAMES = ("jobstart_hccl.json", "hccl.json")
POLL_SECONDS = 1.0


def find(path: Path) -> Path:
    """The file of the table at `path`: itself, or the one that a folder such as /user/config has.

    Raises:
        UserError: it is a folder with no table, or with several.
    """
    if not path.is_dir():
        return path
    named = [path / name for name in NAMES if (path / name).is_file()]
    found = named[:1] or sorted(path.glob("*.json"))
    if len(found) == 1:
        return found[0]
    what = f"has {shorten(each.name for each in found)}" if found else "has no file that ends in .json"
    raise UserError(f"{path} is a folder and {what}; wanted one rank table in it, or the table itself: name the file")


def read(path: Path, hint: str, wait: float = 0.0) -> tuple[Path, Any]:
    """The file of the table at `path` and its content, the parsed JSON.

    Args:
        hint: what to do where it cannot be read.
        wait: seconds in which a folder gets its file, and a file that says "initializing" is completed. What is
            read then is returned as it is.

    Raises:
        UserError: no file can be read.
    """
    until = time.monotonic() + wait
    if wait and _is_awaited(path, hint):
        aside("waiting up to %.0f s for the rank table %s to be completed ...", wait, path)
    while time.monotonic() < until and _is_awaited(path, hint):
        time.sleep(POLL_SECONDS)
    file = find(path)
    return file, read_json(file, "rank table", hint)


def _is_awaited(path: Path, hint: str) -> bool:
    """Whether a platform has yet to write the file in this folder, or to complete it. A pipe is not looked into."""
    if path.is_dir() and not any(path.glob("*.json")):
        return True
    file = find(path)
    return file.is_file() and is_unfinished(read_json(file, "rank table", hint))


def is_unfinished(content: Any) -> bool:
    """Whether what writes the table says that it goes on."""
    return isinstance(content, dict) and content.get("status") == "initializing"
