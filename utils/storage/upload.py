"""Results on their way to `train_url`, in a thread beside the training, which nothing that fails here may stop."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from mindzoo.utils import progress
from mindzoo.utils.errors import shorten
from mindzoo.utils.log import logger
from mindzoo.utils.storage import backends, cache, urls
from mindzoo.utils.storage.retry import WAITS, patiently, reason
from mindzoo.utils.storage.store import Store

State = tuple[int, int]  # size in bytes, time of the last change in nanoseconds


class Uploader:
    """Copies the files of a folder to `url` whenever it is asked to, those that are new or changed since.

    With `only`, which are names of files, no others.
    """

    def __init__(self, store: Store, folder: Path, url: str, only: Collection[str] = ()) -> None:
        self.store, self.folder, self.url, self.only = store, folder, url, only
        self.sent: dict[str, State] = {}
        self.failed: dict[str, str] = {}  # why, of the files that the last attempt did not bring there
        self._asked, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="upload", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Copy what is new, soon; returns at once."""
        self._asked.set()

    def finish(self, *, wait: bool = True) -> None:
        """Copy what is new, wait until that is done, and say what is not there."""
        self._ending = True
        self._asked.set()
        try:
            if wait:
                self._thread.join()
        finally:
            lacking = self._changed() if self._thread.is_alive() else self.failed
            if lacking:
                logger.warning("not uploaded to %s: %s; see %s", self.url, shorten(lacking), self.folder)
            else:
                logger.info("the results are in %s", self.url)

    def _work(self) -> None:
        self._recognise()
        ending = False
        while not ending:
            self._asked.wait()
            self._asked.clear()
            ending = self._ending
            self._upload()

    def _recognise(self) -> None:
        """Files that are copies of what `url` holds, as in a run that goes on, are there already."""
        try:
            there = self.store.known(self.url) or {}
        except Exception as error:  # the uploads below say more of it
            logger.info("cannot list %s: %s", self.url, reason(error))
            return
        for name, state in self._changed().items():
            if name in there and there[name].is_at(self.folder / name):
                self.sent[name] = state

    def _upload(self) -> None:
        self.failed = {}
        changed = self._changed()
        total = sum(size for size, _ in changed.values())
        # While the training goes on, its own progress is what counts.
        shown = progress.of(f"upload to {self.url}", total, progress.BYTES) if self._ending else nullcontext()
        with shown as work:
            for name, state in changed.items():
                self._put(name, state)
                if work:
                    work.advance(state[0])
        if self.failed and not self._ending:
            why = next(iter(self.failed.values()))
            logger.warning(
                "could not upload %s (%s); the next checkpoint brings another attempt", shorten(self.failed), why
            )

    def _put(self, name: str, state: State) -> None:
        path = self.folder / name
        put = partial(self.store.put, path, urls.join(self.url, name))
        try:
            # Where one file could not be copied in several attempts, the others have one each.
            patiently(put, f"uploading {name}", () if self.failed else WAITS)
            self.sent[name] = state
        except Exception as error:  # whatever it is, the training goes on
            if path.exists():  # else it was an old checkpoint, removed meanwhile
                self.failed[name] = reason(error)

    def _changed(self) -> dict[str, State]:
        """The files that differ from what was sent, by name; hidden ones are not finished."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if any(part.startswith(".") for part in name.split("/")) or (self.only and name not in self.only):
                continue
            try:
                facts = path.stat()
            except FileNotFoundError:  # removed while the folder was read
                continue
            state = (facts.st_size, facts.st_mtime_ns)
            if path.is_file() and self.sent.get(name) != state:
                found[name] = state
        return found


@contextmanager
def uploading(config: Any, folder: Path, own: Collection[str] = ()) -> Iterator[Uploader | None]:
    """Upload the run folder `folder` to the place in `train_url` that it has in `output_dir`.

    At the end of the block, however it ends, everything is uploaded. Of the ranks of a server that share a folder one
    uploads it, the others only what is their own. None where `output_dir` is the place itself.

    Args:
        own: names of files that this process alone writes.
    """
    if config.train_url in ("", config.output_dir):
        yield None
        return
    store = backends.open_store(config.train_url, modelarts=config.modelarts)
    url = urls.join(config.train_url, folder.relative_to(config.output_dir).as_posix())
    wait = True
    with cache.claimed(folder) as first:
        uploader = Uploader(store, folder, url, only=() if first else own)
        try:
            yield uploader
        except KeyboardInterrupt:
            wait = False  # the user wants it to end at once
            raise
        finally:
            uploader.finish(wait=wait)
