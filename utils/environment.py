"""Can mindzoo run here? Answered in one sentence, before MindSpore is imported.

MindSpore's own requirements admit NumPy 2, with which calls fail at random, and its Linux aarch64 wheel carries the
tag `none-any`, so pip installs it on platforms where it cannot be loaded. Neither says so; this module does.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from mindzoo.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ((3, 10), (3, 13))
MINDSPORE = ((2, 8), (2, 11))
NUMPY = ((1, 26, 4), (2,))
PILLOW = (11, 3)  # older ones have published holes in decoders that `predict` reaches
# oneDNN 3.10, in MindSpore 2.9 and 2.10, sends 3x3 convolutions on AVX-512 machines to its reference code.
SLOW_AVX512 = ((2, 9), (2, 10))
ONEDNN_VARIABLE, ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA", "AVX2"
ONEDNN_MARK = "MINDZOO_LIMITS_ONEDNN"  # the limit is ours, not the user's
DEVICE_NODES = Path("/dev")
# All that mindzoo requires, as pip takes it.
REQUIRED = {
    "numpy": "numpy>=1.26.4,<2",
    "pyyaml": "pyyaml>=6",
    "pillow": "pillow>=11.3",
    "mindspore": "mindspore>=2.8,<2.11",
}
WHEELS = {
    "Linux": ("x86_64", "aarch64"),
    "Darwin": ("x86_64", "arm64"),
    "Windows": ("AMD64",),
}
WHEELS_TEXT = "Linux (glibc) on x86_64 and aarch64, macOS on x86_64 and arm64, and Windows on AMD64"


def prepare(device_nodes: Path = DEVICE_NODES) -> None:
    """Check Python, platform, NumPy, PyYAML and Pillow, and set what MindSpore reads when it is imported.

    MindSpore itself is checked where something is computed, by `check_mindspore`: listing networks and explaining
    flags needs none.

    Raises:
        ImportError: with one sentence that says what was found, what is wanted and what to do.
    """
    problem = find_problem("Python", "platform", "NumPy", "PyYAML", "Pillow")
    if problem:
        raise ImportError(problem)
    # Warnings of the framework's compiler say nothing a user can act on. Its data pipeline logs every error that it
    # also raises; the raised one is reported.
    # On Ascend warnings are the only word on a CANN that does not fit, on the jit level taken, and on ranks renumbered.
    os.environ.setdefault("GLOG_v", "2" if device_numbers(device_nodes) else "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("MS_SUBMODULE_LOG_v", "{MD:4}")


def device_numbers(nodes: Path = DEVICE_NODES) -> list[int]:
    """The Ascend devices that have a node `davinciN`: their physical numbers, ascending."""
    return sorted(int(entry.name[7:]) for entry in nodes.glob("davinci*") if entry.name[7:].isdecimal())


def check_mindspore() -> None:
    """Refuse to compute with no MindSpore or an old one, and warn of one that is newer than those tested.

    Raises:
        UserError: with one sentence that says what was found, what is wanted and what to do.
    """
    problem = find_problem("MindSpore")
    if problem:
        raise UserError(problem)
    if find_doubt():
        warnings.warn(str(find_doubt()), stacklevel=3)


def asked_for(given: str, variable: str, choices: Sequence[str]) -> str:
    """What a key says, one of `choices`, or where it says auto the environment variable that stands in for it.

    A variable beside a key that says something else is not read, so that the key helps where the variable is wrong.

    Raises:
        UserError: the variable has another value.
    """
    if given != "auto":
        return given
    chosen = os.environ.get(variable, "") or "auto"
    if chosen not in choices:
        raise UserError(f"the variable {variable} is {chosen}; wanted {', '.join(choices[:-1])} or {choices[-1]}")
    return chosen


def commit(root: Path = ROOT) -> str | None:
    """The commit of the clone that this code is in; None where it was installed."""
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def find_problem(*subjects: str) -> str | None:
    """Why mindzoo cannot run here, as one sentence; None where it can. `subjects` of `examine`; all of them by default.

    Where a package is missing, the sentence names all that are.
    """
    found = examine()
    version, problem = next((found[subject] for subject in subjects or found if found[subject][1]), ("", None))
    missing = [package for package in REQUIRED if not _version_text(package)]
    if problem is None or version or len(missing) < 2:
        return problem
    names = f"{', '.join(missing[:-1])} and {missing[-1]}"
    wanted = " ".join(f'"{REQUIRED[package]}"' for package in missing)
    return f"mindzoo needs {names}, which are not installed: run pip install {wanted}."


def find_doubt() -> str | None:
    """Why mindzoo may not work here, as one sentence; None where nothing speaks against it."""
    if _version("mindspore") < MINDSPORE[1]:
        return None
    return f"mindzoo is tested up to MindSpore 2.10; found {_version_text('mindspore')}"


def examine() -> dict[str, tuple[str, str | None]]:
    """By subject what was found, and why mindzoo cannot run with it; None where it can."""
    return {
        "Python": (platform.python_version(), _python_problem()),
        "platform": (f"{platform.system()} on {platform.machine()}", _platform_problem()),
        "NumPy": (_version_text("numpy"), _numpy_problem()),
        "PyYAML": (_version_text("pyyaml"), _package_problem("pyyaml", (6,))),
        "Pillow": (_version_text("pillow"), _package_problem("pillow", PILLOW)),
        "MindSpore": (_version_text("mindspore"), _mindspore_problem()),
    }


def slow_avx512_convolution() -> bool:
    """Whether the installed MindSpore computes 3x3 convolutions on AVX-512 CPUs with oneDNN's reference code."""
    return _version("mindspore")[:2] in SLOW_AVX512


def limit_onednn() -> None:
    """Keep oneDNN from that code, which is 20 to 100 times slower, unless the user has said otherwise.

    It takes effect before the first operator only.
    """
    if slow_avx512_convolution() and ONEDNN_VARIABLE not in os.environ:
        os.environ.update({ONEDNN_VARIABLE: ONEDNN_LIMIT, ONEDNN_MARK: "1"})


def onednn_is_limited_by_user() -> bool:
    """Whether the user has said which instructions oneDNN may use."""
    return ONEDNN_VARIABLE in os.environ and ONEDNN_MARK not in os.environ


def _python_problem() -> str | None:
    if PYTHON[0] <= sys.version_info[:2] < PYTHON[1]:
        return None
    return (
        f"mindzoo needs Python 3.10, 3.11 or 3.12, for which MindSpore has wheels; this is Python "
        f"{platform.python_version()}: make a virtual environment with one of them."
    )


def _platform_problem() -> str | None:
    system, machine = platform.system(), platform.machine()
    musl = system == "Linux" and platform.libc_ver()[0] != "glibc"
    if machine in WHEELS.get(system, ()) and not musl:
        return None
    where = f"{system} with musl on {machine}" if musl else f"{system} on {machine}"
    return f"mindzoo cannot run on {where}: MindSpore has wheels for {WHEELS_TEXT} only; use one of these."


def _numpy_problem() -> str | None:
    found = _version("numpy")
    if found and NUMPY[0] <= found < NUMPY[1]:
        return None
    what = f"found numpy {_version_text('numpy')}" if found else "numpy is not installed"
    return f'mindzoo needs numpy from 1.26.4 up to, not including, 2 (MindSpore breaks with numpy 2); {what}: run pip install "numpy>=1.26.4,<2".'


def _package_problem(package: str, lowest: tuple[int, ...]) -> str | None:
    if _version(package) >= lowest:
        return None
    found = _version_text(package)
    wanted = f"{package}>={'.'.join(map(str, lowest))}"
    return (
        f'mindzoo needs {wanted}; {f"found {found}" if found else "it is not installed"}: run pip install "{wanted}".'
    )


def _mindspore_problem() -> str | None:
    found = _version("mindspore")
    if not found:
        return 'mindzoo needs MindSpore 2.8 to 2.10, which is not installed: run pip install "mindspore>=2.8,<2.11" "numpy>=1.26.4,<2".'
    if found < MINDSPORE[0]:
        return f'mindzoo needs MindSpore 2.8 to 2.10; found {_version_text("mindspore")}: run pip install "mindspore>=2.8,<2.11".'
    return None


def _version_text(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _version(package: str) -> tuple[int, ...]:
    """(1, 26, 4) for "1.26.4rc1"; () where the package is not installed."""
    numbers = []
    for part in _version_text(package).split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
