"""What became of a step, and how it is said to somebody else: without what names this machine or its user."""

from __future__ import annotations

import dataclasses
import getpass
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mindzoo.utils.files import json_text, write_text

Result = Literal["passed", "failed", "left out"]
FILE = "outcome.json"
LONGEST = 300  # characters of a text that came from elsewhere
# An absolute path, of which the last part is kept.
_PATH = re.compile(r"(?<![\w./\\:])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:;,'\"()<>]+)+[/\\]([^\s/\\:;,'\"()<>]*)")


class LeftOut(Exception):  # noqa: N818 - nothing went wrong
    """The step cannot be taken here; the message says why."""


class NotRight(Exception):  # noqa: N818 - the step did its work
    """The step found something wrong; the message says what."""


@dataclass(frozen=True)
class Outcome:
    """What became of one step."""

    name: str
    result: Result
    said: str  # one line
    numbers: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    limit_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.result:9} {self.name:24} {self.said} ({self.seconds:.0f} s)"


def anonymous(text: str) -> str:
    """The text on one line, without folders, and without the names of this machine and of its user."""
    line = _PATH.sub(lambda found: found[1] or "a folder", " ".join(text.split()))
    for name, word in ((_host_name(), "this machine"), (_user_name(), "this user")):
        if len(name) > 1 and name not in ("root", "localhost"):
            line = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _host_name() -> str:
    return socket.gethostname()


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return ""


def write(folder: Path, outcome: Outcome) -> None:
    """Leave the outcome in the folder, for the process that waits for it."""
    write_text(folder / FILE, json_text(dataclasses.asdict(outcome)))


def read(folder: Path) -> Outcome | None:
    """The outcome that a step left; None where it ended before it could."""
    path = folder / FILE
    return Outcome(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
