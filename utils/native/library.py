"""The operators as a library: built from `source/` at first use, kept in the user's cache."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mindzoo.utils import files
from mindzoo.utils.cluster.cores import computing_threads, own_cores
from mindzoo.utils.environment import onednn_is_limited_by_user
from mindzoo.utils.log import logger

SOURCE = Path(__file__).with_name("source")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden")
LINK_FLAGS = ("-shared", "-ldl", "-lpthread")
COMPILERS = ("g++", "c++", "clang++")
MACHINES = ("x86_64",)
REASON_BYTES = 500


class UnavailableError(Exception):
    """Why the operators cannot be used here, as the end of a sentence."""


@functools.cache
def opened() -> Path:
    """The library, ready for MindSpore's ops.Custom; built if this machine has not built it before.

    Raises:
        UnavailableError: no compiler, another machine, an oneDNN that was not tried, or the build failed.
    """
    onednn = _onednn()
    path = _built(onednn)
    _open(path, _own_copy(onednn))
    return path


def outlook() -> str:
    """where `opened` will find the library or build it, without doing so.

    Raises:
        UnavailableError: no compiler, another machine, or no oneDNN.
    """
    onednn, compiler = _onednn(), _compiler()
    target = _place(compiler, onednn)
    return str(target) if target.exists() else f"{compiler} will build them at first use"


def description() -> str:
    """What computes, for a line of a log."""
    number = ctypes.CDLL(str(opened())).onednn_version()
    return (
        f"oneDNN {number // 10000}.{number // 100 % 100}.{number % 100}, channels last, {computing_threads()} threads"
    )


def _onednn() -> Path:
    """The oneDNN of MindSpore's wheel."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise UnavailableError(
            f"they were tried on Linux on x86_64 only, and this is {sys.platform} on {platform.machine()}"
        )
    spec = find_spec("mindspore")
    found = sorted(Path(spec.origin).parent.glob("lib/libdnnl.so.*")) if spec and spec.origin else []
    if not found:
        raise UnavailableError("this MindSpore brings no oneDNN of its own")
    return found[0]


def _built(onednn: Path) -> Path:
    compiler = _compiler()
    sources = sorted(SOURCE.glob("*.cpp"))
    target = _place(compiler, onednn)
    if not target.exists():
        logger.info("building the native operators with %s, once for this machine: %s", compiler, target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.whole_file(target) as temporary:
                _compile(compiler, sources, temporary)
        except OSError as error:
            raise UnavailableError(f"{target.parent} cannot be written to: {error.strerror or error}") from None
    return target


def _place(compiler: str, onednn: Path) -> Path:
    return files.user_cache("native") / f"operators-{_key(compiler, onednn)}.so"


def _compiler() -> str:
    wanted = os.environ.get("CXX")
    for name in [wanted] if wanted else COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    raise UnavailableError(f"there is no C++ compiler {wanted or ' or '.join(COMPILERS)}")


def _key(compiler: str, onednn: Path) -> str:
    """Of all that the built file depends on."""
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    facts = [
        compiler,
        told,
        " ".join(FLAGS + LINK_FLAGS),
        version("mindspore"),
        str(onednn.stat().st_size),
        _processor(),
    ]
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What -march=native may depend on."""
    wanted = ("model name", "flags")
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
    return platform.processor()


def _compile(compiler: str, sources: list[Path], target: Path) -> None:
    objects = [target.with_name(f"{target.name}.{source.stem}.o") for source in sources]
    commands = [
        [compiler, *FLAGS, "-c", str(source), "-o", str(made)] for source, made in zip(sources, objects, strict=True)
    ]
    try:
        with ThreadPoolExecutor(own_cores()) as pool:
            list(pool.map(_call, commands))
        _call([compiler, *map(str, objects), "-o", str(target), *LINK_FLAGS])
    finally:
        for made in objects:
            made.unlink(missing_ok=True)


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise UnavailableError(f"{command[0]} could not build them: {reason.strip()[:REASON_BYTES]}")


def _own_copy(onednn: Path) -> Path:
    """A copy that the operators have to themselves: MindSpore's own may be limited to AVX2, see `environment`."""
    # One for all environments with this MindSpore: it has 58 MB.
    target = files.user_cache("native") / f"onednn-{version('mindspore')}-{onednn.stat().st_size}.so"
    if not target.exists():
        try:
            with files.whole_file(target) as temporary:
                shutil.copyfile(onednn, temporary)
        except OSError as error:
            raise UnavailableError(f"{target} cannot be written: {error.strerror or error}") from None
    return target


def _open(path: Path, onednn: Path) -> None:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be loaded: {error}") from None
    reason = ctypes.create_string_buffer(REASON_BYTES)
    unlimited = int(not onednn_is_limited_by_user())
    if library.open_library(os.fsencode(onednn), unlimited, computing_threads(), reason, len(reason)):
        raise UnavailableError(reason.value.decode(errors="replace"))
