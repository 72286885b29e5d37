"""Files and folders that are complete or not there, JSON, and what is said of a place that cannot be written to."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError

NAME_KEPT = 40  # characters of a name that the temporary one beside it has too: of four bytes each it is not too long
BLOCK = 4096  # bytes
_HANDED = re.compile(r"/dev/fd/\d+|/dev/stdin|/proc/self/fd/\d+")
_NOT_UNICODE = re.compile("[\ud800-\udfff]")


def user_cache(name: str) -> Path:
    """The folder `name` among what this user can do without."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mindzoo", name)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to, with the same suffix: it gets that name at the end, and is removed after an error.

    Raises:
        OSError: `target` cannot be written.
    """
    temporary = target.with_name(f".{target.stem[:NAME_KEPT]}.{os.getpid()}.tmp{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        # MindSpore's writer leaves a temporary file of its own, with another suffix.
        for left in target.parent.glob(f"{glob.escape(temporary.stem)}.*"):
            with suppress(OSError):
                left.unlink()
        raise
    temporary.unlink(missing_ok=True)  # where both names were links to one file the replacement did nothing


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write into: it gets that name at the end, and is removed after an error.

    `target` may be an empty folder; missing folders above it are made.

    Raises:
        OSError: `target` cannot be written, or holds something.
    """
    target = resolved(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:NAME_KEPT]}-", dir=target.parent))
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


def second_name(path: Path, name: Path) -> None:
    """Give a file a second name, which may be another file's until now; a copy where the file system has no links.

    Raises:
        UserError: it cannot be written.
    """
    with said_of(name), whole_file(name) as unfinished:
        unfinished.unlink(missing_ok=True)
        try:
            os.link(path, unfinished)
        except OSError:
            shutil.copyfile(path, unfinished)


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
    """JSON for people and machines: indented, with names as they are written, but for bytes that are no UTF-8.

    These become escapes, which a reader of JSON makes the same name of as the file system gives in Python.
    """
    return _as_unicode(json.dumps(_in_json(content), indent=2, ensure_ascii=False)) + "\n"


def json_line(content: Any) -> str:
    """The same on one line."""
    return _as_unicode(json.dumps(_in_json(content), ensure_ascii=False)) + "\n"


def _as_unicode(text: str) -> str:
    return _NOT_UNICODE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _in_json(content: Any) -> Any:
    """The content with null for numbers that are not finite, which JSON does not have."""
    if isinstance(content, dict):
        return {name: _in_json(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_in_json(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size_text(count: int) -> str:
    """1234567 bytes as 1.2 MB."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def resolved(path: Path) -> Path:
    """`Path.resolve`.

    Raises:
        OSError: a link that leads to itself; until Python 3.13 that is a RuntimeError there.
    """
    try:
        return path.resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def is_special(path: Path) -> bool:
    """Whether a pipe, a socket or a device is there: to read from it may wait for ever.

    A pipe that the shell handed to this process, as `<(command)`, is none: it ends when the command does.
    """
    if _HANDED.fullmatch(str(path)) and path.is_fifo():
        return False
    return path.exists() and not (path.is_file() or path.is_dir())


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path` is `root`, which is resolved, or below it once all links are followed."""
    try:
        return resolved(path).is_relative_to(root)
    except OSError:  # a link to itself
        return False


def check_folder_of(key: str, target: Path, beside: Sequence[str] = ()) -> None:
    """Refuse a file or folder that cannot be written, before anything is computed.

    Args:
        key: the configuration key.
        beside: what is added to the name of `target` in the names of the files that come with it.

    Raises:
        UserError: its own folder is missing, read-only or full, or a name is too long.
    """
    with said_of(target):
        folder = resolved(target).parent
        if not folder.is_dir():
            raise UserError(f"{key} is {target}, and its folder is missing; make it first")
        for added in ("", *beside):
            with suppress(FileNotFoundError):
                os.lstat(f"{target}{added}")
        _check_room(folder)


def check_folder(key: str, folder: Path) -> None:
    """The same for a folder that is made where it is missing, and so are those above it.

    Raises:
        UserError: nothing can be written there.
    """
    with said_of(f"into {key} {folder}"):
        existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        _check_room(existing)


def check_file(
    key: str, target: Path, suffixes: tuple[str, ...], *, overwrite: bool = True, beside: Sequence[str] = ()
) -> None:
    """The same for a file with one of `suffixes`.

    Args:
        overwrite: it may exist.
        beside: see `check_folder_of`.

    Raises:
        UserError: another suffix, a folder, a file that is not to be written over, or see `check_folder_of`.
    """
    if target.suffix not in suffixes:
        raise UserError(f"{key} is {target}; wanted a name that ends in {' or '.join(suffixes)}")
    check_folder_of(key, target, beside)
    if target.is_dir():
        raise UserError(f"{key} is {target}, which is a folder; wanted a file")
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists; give another {key}, or --overwrite")


def check_output(key: str, value: str, suffixes: tuple[str, ...]) -> None:
    """The same for a file that need not be given and may exist.

    Raises:
        UserError: see `check_file`.
    """
    if value:
        check_file(key, Path(value), suffixes)


def _check_room(folder: Path) -> None:
    """Write a block into `folder` for a moment: a disk that is full still takes a name, but no content."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(BLOCK))
