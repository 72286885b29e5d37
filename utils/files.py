"""Files and folders that are complete or not there, JSON, and what is said of a place that cannot be written to."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to, with the same suffix: it gets that name at the end, and is removed after an error.

    Raises:
        OSError: `target` cannot be written.
    """
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write into: it gets that name at the end, and is removed after an error.

    `target` may be an empty folder; missing folders above it are made.

    Raises:
        OSError: `target` cannot be written, or holds something.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def said_of(target: str | Path, hint: str = "") -> Iterator[None]:
    """Say of what went wrong in the block that `target` cannot be written.

    Raises:
        UserError: instead of an OSError; `hint` is added.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}{f'; {hint}' if hint else ''}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all. Names in it that are no UTF-8 keep their bytes.

    Raises:
        UserError: it cannot be written.
    """
    with said_of(path), whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, as `write_text`."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """JSON for people and machines: indented, with names as they are written."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def json_line(content: Any) -> str:
    """The same on one line."""
    return json.dumps(content, ensure_ascii=False) + "\n"


def check_folder_of(key: str, target: Path) -> None:
    """Refuse a file or folder whose own folder is missing or read-only, before anything is computed.

    Args:
        key: the configuration key.

    Raises:
        UserError: says so.
    """
    folder = target.resolve().parent
    if not folder.is_dir():
        raise UserError(f"{key} is {target}, and its folder is missing; make it first")
    with said_of(target), tempfile.TemporaryFile(dir=folder):
        pass


def check_output(key: str, value: str, suffixes: tuple[str, ...]) -> None:
    """The same for a file that need not be given and has one of `suffixes`.

    Raises:
        UserError: another suffix, or a folder that is missing.
    """
    if not value:
        return
    if Path(value).suffix not in suffixes:
        raise UserError(f"{key} is {value}; wanted a name that ends in {' or '.join(suffixes)}")
    if Path(value).is_dir():
        raise UserError(f"{key} is {value}, which is a folder; wanted a file")
    check_folder_of(key, Path(value))
