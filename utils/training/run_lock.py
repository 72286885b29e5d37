"""One training at a time in the folder of a run: two would write into each other's files."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import is_special, json_line, said_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


@contextlib.contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the folder while the block runs. The system lets go of it when the process dies, however it dies.

    A file system without locks is used as it is.

    Raises:
        UserError: another process holds it; says which one.
    """
    path = folder / NAME
    descriptor = None if fcntl is None else _locked(path)
    try:
        yield
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # a disk that is read-only by now; the lock is gone with the file's end
                path.unlink()
            os.close(descriptor)


def _locked(path: Path) -> int | None:
    """An open file that is locked and is the one at `path`; None where the file system has no locks."""
    while True:
        with said_of(path):
            # In a folder of somebody else the name may be a link to any file.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 1000)
            os.close(descriptor)
            raise UserError(f"{path.parent} is in use by {_said(holder)}; wait for its end, or stop it") from None
        except OSError:
            os.close(descriptor)
            return None
        # The one who held it before may have removed the file while we waited for it to open.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json_line(_ourselves()).encode())
            return descriptor
        os.close(descriptor)


def holder_lives(folder: Path) -> bool | None:
    """Whether the training that holds a folder is alive, without touching its lock.

    None: nobody holds it, or a process of another machine does.
    """
    path = folder / NAME
    if fcntl is None or is_special(path):
        return None
    try:
        facts = json.loads(path.read_bytes()[:1000])
        if facts["host"] != platform.node() or type(facts["pid"]) is not int or facts["pid"] <= 0:
            return None
        os.kill(facts["pid"], 0)  # sends nothing
    except PermissionError:
        return path.exists()  # a process of somebody else's
    except ProcessLookupError:
        return False
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    return True


def _ourselves() -> dict[str, object]:
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "since": now}


def _said(holder: bytes) -> str:
    try:
        facts = json.loads(holder)
        return f"process {facts['pid']} on {facts['host']}, since {facts['since']}"
    except (ValueError, LookupError, TypeError):
        return "another process"
