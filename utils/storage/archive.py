"""A data set that is one tar file in its bucket, as large ones are: each object costs a request."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger

SUFFIXES = (".tar", ".tar.gz", ".tgz")
UNPACKED = "unpacked"


def unpack(folder: Path) -> str:
    """Unpack the archive in `folder`, where that is all that was copied there.

    Returns:
        Where the data are, as a path inside `folder`; nothing where there is no archive.

    Raises:
        UserError: it is damaged, or it holds what would be written elsewhere.
    """
    found = _archive(folder)
    if found is None:
        return ""
    target = folder / UNPACKED
    if not target.exists():
        if not hasattr(tarfile, "data_filter"):
            raise UserError(f"{found} cannot be unpacked safely by this Python; use 3.10.12, 3.11.4, 3.12 or later")
        logger.info("unpacking %s", found)
        temporary = folder / f".{UNPACKED}"
        shutil.rmtree(temporary, ignore_errors=True)  # of a job that died halfway
        try:
            with tarfile.open(found) as archive:
                archive.extractall(temporary, filter="data")
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise UserError(f"cannot unpack {found}: {error}") from None
        os.replace(temporary, target)
    inside = [path for path in target.iterdir() if not path.name.startswith(".")]
    return f"{UNPACKED}/{inside[0].name}" if len(inside) == 1 and inside[0].is_dir() else UNPACKED


def remove(folder: Path) -> None:
    """Remove the archive that was unpacked: its content takes as much room again."""
    found = _archive(folder)
    if found is not None:
        found.unlink()


def _archive(folder: Path) -> Path | None:
    """The archive that is alone in `folder`, but for what was unpacked from it."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != UNPACKED]
    return inside[0] if len(inside) == 1 and inside[0].is_file() and inside[0].name.endswith(SUFFIXES) else None
