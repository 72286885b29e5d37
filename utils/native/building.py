"""Builds C++ sources of ours at first use into the user's cache, as a library for this compiler and this processor."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils import files, progress
from mindzoo.utils.cluster.cores import own_cores
from mindzoo.utils.log import aside
from mindzoo.utils.native import kept

FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden")
LINK_FLAGS = ("-shared", "-ldl", "-lpthread")
COMPILERS = ("g++", "c++", "clang++")
MACHINES = ("x86_64",)
REASON_BYTES = 500


class UnavailableError(Exception):
    """Why a library cannot be used here, as the end of a sentence."""


@dataclass(frozen=True)
class Library:
    """What is built."""

    name: str  # in the cache
    what: str  # in a sentence: "the native operators"
    source: Path  # the folder of its files
    depends_on: tuple[str, ...] = ()  # beside sources, compiler and processor


def check_machine(subject: str) -> None:
    """Refuse machines that the sources were not tried on.

    Args:
        subject: of the sentence, with its verb: "they were".

    Raises:
        UnavailableError: this is another one.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise UnavailableError(
            f"{subject} tried on Linux on x86_64 only, and this is {sys.platform} on {platform.machine()}"
        )


def opened(path: Path, function: str, *arguments: object) -> ctypes.CDLL:
    """A library, after its own function that opens it: of the arguments and a place for a reason, it gives 0 where it can be used.

    Raises:
        UnavailableError: it cannot be loaded, or says why it cannot be used.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be loaded: {error}") from None
    reason = ctypes.create_string_buffer(REASON_BYTES)
    if library[function](*arguments, reason, ctypes.c_size_t(len(reason))):
        raise UnavailableError(reason.value.decode(errors="replace"))
    return library


def built(library: Library) -> Path:
    """The library's file; made if this machine has not made it before.

    Raises:
        UnavailableError: no compiler, the build failed, or the cache cannot be written to.
    """
    compiler = _compiler()
    target = _place(library, compiler)

    def build(temporary: Path) -> None:
        aside("building %s with %s, once for this machine: %s", library.what, compiler, target)
        with progress.ticking(f"building {library.what}"):
            _compile(compiler, sorted(library.source.glob("*.cpp")), temporary)

    try:
        kept.ensure(target, build)
    except OSError as error:
        raise UnavailableError(f"{target.parent} cannot be written to: {error.strerror or error}") from None
    return target


def outlook(library: Library) -> str:
    """Where `built` will find the library, or that it will make it, without doing so.

    Raises:
        UnavailableError: no compiler, or the cache cannot be written to.
    """
    compiler = _compiler()
    target = _place(library, compiler)
    if kept.is_whole(target):
        return str(target)
    if reason := kept.obstacle(target.parent):
        raise UnavailableError(reason)
    return f"{compiler} will build them at first use"


def _place(library: Library, compiler: str) -> Path:
    return files.user_cache("native") / f"{library.name}-{_key(library, compiler)}.so"


def _compiler() -> str:
    wanted = os.environ.get("CXX")
    for name in [wanted] if wanted else COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    if wanted:
        raise UnavailableError(f"there is no C++ compiler {wanted}, which the variable CXX names")
    raise UnavailableError(f"there is no C++ compiler {' or '.join(COMPILERS)}; the variable CXX may name another")


def _key(library: Library, compiler: str) -> str:
    """Of all that the built file depends on."""
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    facts = [compiler, told, " ".join(FLAGS + LINK_FLAGS), *library.depends_on, _processor()]
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(library.source.iterdir()):
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
