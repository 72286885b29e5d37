"""One copy per server of what a URL names; one that a job left unfinished is completed by the next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside
from mindzoo.utils.storage import archive, cache
from mindzoo.utils.storage.retry import reason
from mindzoo.utils.storage.store import ListingStore, Store


def download(store: Store, url: str, documented: str, *, changes: bool) -> Path:
    """The copy of `url` on this server: a folder, or a file where `url` names one.

    Args:
        documented: the folder for such copies, see `cache.place`.
        changes: `url` may hold more, or something else, than at an earlier copy: compare.

    Raises:
        UserError: it cannot be copied.
    """
    asked = time.time()
    folder = cache.place(url, documented)
    with _said(url), cache.locked(folder) as marker:
        found = marker.read()
        # A storage that cannot tell what it holds is copied again, unless another rank did so just now.
        if found and (not changes or (not isinstance(store, ListingStore) and marker.written >= asked)):
            aside("%s was copied to %s before", url, folder)
            return found
        copied = store.copy_in(url, folder)
        packed = "" if changes else archive.single(copied.names)
        path = archive.unpack(folder, packed) if packed else copied.single
        marker.finish(url=url, path=path)
        if packed:
            (folder / packed).unlink()  # its content takes as much room again
    return folder / path


def restore(store: Store, url: str, folder: Path) -> None:
    """Copy into `folder` what `url` holds beyond it; files that are there stay as they are, and `url` may be missing.

    Raises:
        UserError: it cannot be copied.
    """
    with _said(url), cache.locked(folder):
        if store.known(url) == {}:
            aside("%s holds nothing yet", url)
        else:
            store.copy_in(url, folder, replace=False)


@contextmanager
def _said(url: str) -> Iterator[None]:
    """Failures as one line for the user."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the clients of object storage raise errors of many kinds
        raise UserError(f"cannot copy {url} to this machine: {reason(error)}") from error
