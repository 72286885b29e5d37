"""One copy per user and server of a file on the web: downloaded once, gone on with after a break, verified before it is used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mindzoo.utils import progress
from mindzoo.utils.config.values import convert
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import said_of, sha256, size_text, user_cache
from mindzoo.utils.log import aside, logger
from mindzoo.utils.storage import cache, places, retry
from mindzoo.utils.storage.cache import Marker
from mindzoo.utils.weights import web
from mindzoo.utils.weights.web import Response
from mindzoo.utils.weights.web_address import DIGITS, WebAddress

OFFLINE = "MINDZOO_OFFLINE"
MOST_BYTES = 10_000_000_000  # of one file: the largest weights that the readers know have less than a tenth


def download(address: WebAddress) -> Path:
    """The file of this machine that is a copy of what the address names.

    Processes that want the same copy wait for each other, and one of them downloads it.

    Raises:
        UserError: there is no such file or no way to it, it is another one than its digest says, or cannot be written.
    """
    folder = user_cache("weights") / address.folder_name
    with said_of(f"into the cache {folder}"), cache.locked(folder) as marker:
        path = _kept(address, marker) or _downloaded(address, folder, marker)
        known = marker.facts()["sha256"]
    if not address.sha256:
        logger.warning(
            "%s is not verified, since no SHA-256 is given for it; #sha256=%s behind the address has this very file checked",
            address.shown, known,
        )  # fmt: skip
    return path


def _kept(address: WebAddress, marker: Marker) -> Path | None:
    """The copy of an earlier download; None where there is none, or not the one that is wanted."""
    path = marker.read()
    if path is None or not path.is_file():
        return None
    found = sha256(path)
    if found != marker.facts().get("sha256"):
        logger.warning("%s is damaged: it is no longer what was downloaded; it is removed", path)
        path.unlink()
        return None
    if not found.startswith(address.sha256):
        logger.info("%s was downloaded before, with the SHA-256 %s; %s is wanted", address.shown, found, address.sha256)
        return None
    aside("%s was downloaded to %s before", address.shown, path)
    return path


def _downloaded(address: WebAddress, folder: Path, marker: Marker) -> Path:
    """Download it."""
    if convert(bool, os.environ.get(OFFLINE) or "0", OFFLINE):
        raise UserError(
            f"{address.shown} is not in the cache {folder}, and {OFFLINE} says that nothing may be downloaded"
        )
    path = folder / address.name
    part = places.part_of(path)
    went_on = part.exists()
    found = _fetched(address, part, marker)
    if went_on and not found.startswith(address.sha256):
        logger.warning("what was kept of %s is no part of it; downloading it from the beginning", address.shown)
        part.unlink()
        found = _fetched(address, part, marker)
    if not found.startswith(address.sha256):
        part.unlink()
        raise UserError(_wrong(address, found))
    os.replace(part, path)
    marker.finish(address.name, url=address.shown, sha256=found)
    aside("downloaded %s to %s: %s", address.shown, path, size_text(path.stat().st_size))
    return path


def _wrong(address: WebAddress, found: str) -> str:
    few = len(address.sha256) < DIGITS
    wanted = f"one that begins with {address.sha256}" if few else address.sha256
    hint = f"; if these digits are none of it, give #sha256={found}" if few else ""
    return f"{address.shown} has the SHA-256 {found}, and wanted was {wanted}: what came is removed{hint}"


def _fetched(address: WebAddress, part: Path, marker: Marker) -> str:
    """Have all of it in `part`; returns its SHA-256.

    Raises:
        UserError: it did not come, in several attempts.
    """
    try:
        retry.patiently(lambda: _go_on(address, part, marker), f"downloading {address.shown}")
    except web.FAILURES as error:
        kept = part.stat().st_size if part.exists() else 0
        hint = f"; {size_text(kept)} of it are kept, and the same command goes on from there" if kept else ""
        raise UserError(f"cannot download {address.shown}{web.way(address)}: {retry.reason(error)}{hint}") from None
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    return sha256(part)


def _go_on(address: WebAddress, part: Path, marker: Marker) -> None:
    """One attempt: ask for what is lacking, and write it behind what is there.

    Raises:
        UserError, OSError, HTTPException: see `web.opened`.
    """
    facts = marker.facts()
    validator, total = facts.get("validator"), facts.get("total")
    kept = part.stat().st_size if part.exists() and isinstance(validator, str) and validator else 0
    if kept and kept == total:
        return
    try:
        response = web.opened(address, kept, validator or "")
    except web.NoSuchRange:
        part.unlink(missing_ok=True)
        raise
    with response.raw:
        _check_size(address, response, part.parent)
        marker.note(**{**facts, "validator": response.validator, "total": response.total})
        _write(address, response, part)


def _check_size(address: WebAddress, response: Response, folder: Path) -> None:
    if response.total is None:
        return
    if not 0 < response.total <= MOST_BYTES:
        raise UserError(
            f"{address.shown} has {response.total:,} bytes; wanted weights, of at most {MOST_BYTES:,}: is it another file?"
        )
    lacking, free = response.total - response.start, shutil.disk_usage(folder).free
    if lacking >= free:
        raise UserError(
            f"{address.shown} takes {size_text(lacking)}, and {size_text(free)} are free in {folder}; make room, or name "
            "another folder in the variable XDG_CACHE_HOME"
        )


def _write(address: WebAddress, response: Response, part: Path) -> None:
    """Write what comes; what is there when it breaks stays."""
    aside("downloading %s%s", address.shown, f" from byte {response.start:,} on" if response.start else "")
    with (
        open(part, "r+b" if response.start else "wb", buffering=0) as file,
        progress.of(f"download {address.name}", response.total, progress.BYTES, done=response.start) as work,
    ):
        written = file.seek(response.start)
        file.truncate()
        for block in response.blocks():
            written += len(block)
            if written > MOST_BYTES:
                raise UserError(
                    f"{address.shown} has more than {MOST_BYTES:,} bytes; wanted weights: is it another file?"
                )
            with said_of(part):
                lacking = memoryview(block)
                while lacking:
                    lacking = lacking[file.write(lacking) :]
            work.advance(len(block))
