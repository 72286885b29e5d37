"""Compiles cells, and takes graphs that an earlier process compiled from a store.

MindSpore can keep the graphs that it compiles, but it finds them by their number in the process: the third graph of a
run is taken for the third graph of the next one, whatever that is. It only looks whether some source files are still
the same. So the graphs are kept here, under a key of all that they depend on, and MindSpore is shown a folder of this
process alone, in which the graph that it is about to compile lies under the number that it will look for.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import nn

from mindzoo.utils import compat, environment
from mindzoo.utils.compiling import surroundings
from mindzoo.utils.compiling.fingerprint import fingerprint
from mindzoo.utils.compiling.store import Store, default_folder, size_limit
from mindzoo.utils.compiling.waiting import moving
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World

VARIABLE, CHOICES = "MINDZOO_COMPILE_CACHE", ("auto", "on", "off")
OF_MINDSPORE = "MS_COMPILER_CACHE_ENABLE"
# MindSpore holds the digest of this file's digest against the one beside the graphs.
SOURCE = b"# the sources of the graphs beside this file are part of their key\n"


class Staging:
    """The folder in which MindSpore looks for the graphs of this process; it never looks into another one.

    After the first graph that is missing it takes no other, and after an error its count is unknown.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.number, self.takes, self.usable = 0, True, True

    def open(self, parent: Path) -> None:
        """Make the folder, once."""
        if self.folder is not None:
            return
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=".process-", dir=parent))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        source = self.folder / "source.py"
        source.write_bytes(SOURCE)
        digest = hashlib.sha256(hashlib.sha256(SOURCE).hexdigest().encode()).hexdigest()
        self.graph.parent.mkdir(parents=True)
        (self.graph.parent / "compile_dependency.hash").write_text(digest, encoding="ascii")
        compat.take_graphs_from(self.folder, source)

    @property
    def graph(self) -> Path:
        """The file that MindSpore will look for, or write, next."""
        assert self.folder is not None
        return self.folder / "rank_0" / "graph_cache" / f"compile_cache_{self.number}.mindir"


class Cache:
    """The store as one command uses it; `key` is of all but the cells."""

    def __init__(self, store: Store, key: dict[str, Any]) -> None:
        self.store, self.key = store, key

    def compile(self, cell: nn.Cell, inputs: tuple[Any, ...]) -> bool:
        """Compile one graph of a cell; whether it came from the store."""
        key = hashlib.sha256(json.dumps([self.key, fingerprint(cell, *inputs)]).encode()).hexdigest()
        _staging.open(self.store.folder)
        graph, known = _staging.graph, len(cell.compile_cache)
        found = _staging.takes and self.store.take(key, graph)
        written = graph.stat().st_mtime_ns if found else 0
        _staging.usable = False
        try:
            with compat.keeping_graphs():
                cell.compile(*inputs)
        except RuntimeError:
            if not found:
                raise
            self.store.remove(key)
            cell.compile(*inputs)  # says whether it was the kept graph's fault
            return False
        # Anything else than one more graph, of this number, and the count is no longer MindSpore's.
        _staging.usable = [*graph.parent.glob("*.mindir")] == [graph] and len(cell.compile_cache) == known + 1
        _staging.number += 1
        taken = found and _staging.usable and graph.stat().st_mtime_ns == written
        _staging.takes = _staging.takes and taken
        if not taken and _staging.usable:
            self.store.add(key, graph.read_bytes())
        graph.unlink(missing_ok=True)
        return taken


_staging = Staging()  # MindSpore's count and folder are those of the process
_cache: Cache | None = None


def start(config: Any, world: World) -> None:
    """Choose whether the graphs of a command are kept, by its key `compile_cache`; to be called before the first.

    Raises:
        UserError: MINDZOO_COMPILE_CACHE or MINDZOO_COMPILE_CACHE_GB has a value that means nothing.
    """
    global _cache
    _cache = None
    choice = environment.asked_for(config.compile_cache, VARIABLE, CHOICES)
    if choice == "off":
        return
    obstacle = _obstacle(world)
    if obstacle:
        if choice == "on":
            logger.info("note: compile_cache has no effect: %s", obstacle)
        return
    size_limit()
    described = {**surroundings.describe(config), "device": ms.get_context("device_target")}
    _cache = Cache(Store(default_folder()), described)


def _obstacle(world: World) -> str:
    """Why graphs cannot be kept here; empty where they can."""
    if os.environ.get(OF_MINDSPORE):
        return f"{OF_MINDSPORE} is set, and MindSpore keeps them itself"
    if ms.get_context("device_target") != "CPU" or ms.get_context("mode") != ms.GRAPH_MODE:
        return "only graphs of a CPU are kept"
    if world.connected:
        return "graphs of several ranks are not kept"
    if not compat.can_keep_graphs():
        return "this version of MindSpore was not tried with it"
    return ""


def compile_cell(cell: nn.Cell, what: str, *inputs: tuple[Any, ...]) -> None:
    """Compile `cell` for each of several inputs, and say so: `what` is compiled, and how long it took."""
    with moving(f"compiling {what}") as wait:
        taken = [_compile(cell, one) for one in inputs]
        if all(taken):
            wait.outcome = "taken as it was compiled before, in"
    compat.give_back_memory()


def _compile(cell: nn.Cell, inputs: tuple[Any, ...]) -> bool:
    """Compile one graph of `cell`; whether it was taken as it was compiled before."""
    if _cache is not None and _staging.usable:
        with _forgiving():
            return _cache.compile(cell, inputs)
    cell.compile(*inputs)  # which does nothing where that is done
    return False


@contextmanager
def _forgiving() -> Iterator[None]:
    """A disk that is full, or a folder that cannot be written, costs the cache and not the run."""
    try:
        yield
    except OSError as error:
        _staging.usable = False
        logger.info(
            "note: the compiled graph is not kept: %s",
            f"{error.filename}: {error.strerror}" if error.filename else error,
        )
