"""The operators as a library: built from `source/` at first use, kept in the user's cache."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mindzoo.utils import files
from mindzoo.utils.cluster.cores import computing_threads
from mindzoo.utils.environment import onednn_is_limited_by_user
from mindzoo.utils.native import building, kept
from mindzoo.utils.native.building import Library, UnavailableError

SOURCE = Path(__file__).with_name("source")


@functools.cache
def opened() -> Path:
    """The library, ready for MindSpore's ops.Custom; built if this machine has not built it before.

    Raises:
        UnavailableError: no compiler, another machine, an oneDNN that was not tried, or the build failed.
    """
    onednn = _onednn()
    path = building.built(_operators(onednn))
    unlimited = int(not onednn_is_limited_by_user())
    building.opened(path, "open_library", os.fsencode(_own_copy(onednn)), unlimited, computing_threads())
    return path


def outlook() -> str:
    """Where `opened` will find the library or build it, without doing so.

    Raises:
        UnavailableError: no compiler, another machine, or no oneDNN.
    """
    return building.outlook(_operators(_onednn()))


def description() -> str:
    """What computes, for a line of a log."""
    number = ctypes.CDLL(str(opened())).onednn_version()
    return (
        f"oneDNN {number // 10000}.{number // 100 % 100}.{number % 100}, channels last, {computing_threads()} threads"
    )


def _onednn() -> Path:
    """The oneDNN of MindSpore's wheel."""
    building.check_machine("they were")
    spec = find_spec("mindspore")
    found = sorted(Path(spec.origin).parent.glob("lib/libdnnl.so.*")) if spec and spec.origin else []
    if not found:
        raise UnavailableError("this MindSpore brings no oneDNN of its own")
    return found[0]


def _operators(onednn: Path) -> Library:
    return Library("operators", "the native operators", SOURCE, (version("mindspore"), str(onednn.stat().st_size)))


def _own_copy(onednn: Path) -> Path:
    """A copy that the operators have to themselves: MindSpore's own may be limited to AVX2, see `environment`."""
    # One for all environments with this MindSpore: it has 58 MB.
    target = files.user_cache("native") / f"onednn-{version('mindspore')}-{onednn.stat().st_size}.so"
    try:
        kept.ensure(target, lambda temporary: shutil.copyfile(onednn, temporary))
    except OSError as error:
        raise UnavailableError(f"{target} cannot be written: {error.strerror or error}") from None
    return target
