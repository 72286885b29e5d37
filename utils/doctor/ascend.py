"""Checks of Ascend's part of a machine: the device nodes, what MindSpore sees of them, the driver, and CANN.

A container has the nodes that it was started with, and `version.info` of the driver where /usr/local/Ascend/driver is
mounted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils import environment
from mindzoo.utils.cluster import card
from mindzoo.utils.doctor.finding import Finding, ok, problem, warning
from mindzoo.utils.errors import shorten

NODES, DRIVER = environment.DEVICE_NODES, Path("/usr/local/Ascend/driver")
SECONDS = 120  # for MindSpore to be imported, or npu-smi to answer
SET_ENV = "source set_env.sh of CANN (usually /usr/local/Ascend/ascend-toolkit/set_env.sh) before the job"
HAND_OVER = (
    "a container needs /dev/davinci_manager, /dev/devmm_svm and /dev/hisi_hdc too; else install the driver again"
)
# Run in a process of its own: importing MindSpore beside a broken driver may end the process or hang.
PROBE = """
import json
import mindspore as ms
seen = {}
for target in ("Ascend", "GPU"):
    try:
        seen[target] = ms.hal.device_count(target) if ms.hal.is_available(target) else 0
    except Exception:
        seen[target] = 0
try:
    from mindspore.run_check._check_version import AscendEnvChecker
    seen["cann"] = [str(version) for version in AscendEnvChecker("").version]
except Exception:
    seen["cann"] = []
print("\\n" + json.dumps(seen))
"""


@dataclass(frozen=True)
class Seen:
    """What MindSpore sees: the number of devices of each kind, and the versions of CANN that it asks for."""

    ascend: int = 0
    gpu: int = 0
    cann: tuple[str, ...] = ()


def check_ascend(wanted: int, nodes: Path = NODES, driver: Path = DRIVER) -> Iterator[Finding]:
    """The checks of devices, driver and CANN; `wanted` devices must be there."""
    numbers = environment.device_numbers(nodes)
    try:
        seen = ask_mindspore()
    except LookupError as error:
        seen = Seen()
        yield problem(
            "devices", f"MindSpore cannot be imported: {error}; mend what is named above, or install it again"
        )
    else:
        yield check_devices(seen, numbers, wanted, nodes)
    yield check_driver(numbers, driver)
    yield check_cann(seen, numbers, os.environ.get(card.CANN_VARIABLE, ""))


def ask_mindspore() -> Seen:
    """What MindSpore sees.

    Raises:
        LookupError: it cannot be imported; says why.
    """
    if importlib.util.find_spec("mindspore") is None:
        raise LookupError("it is not installed")
    command = [sys.executable, "-c", PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise LookupError(f"no end after {SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise LookupError(lines[-1])
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"Ascend"')))
    return Seen(found["Ascend"], found["GPU"], tuple(found["cann"]))


def check_devices(seen: Seen, numbers: list[int], wanted: int, nodes: Path = NODES) -> Finding:
    """MindSpore sees every device that has a node, and as many as are wanted."""
    closed = [str(nodes / f"davinci{n}") for n in numbers if not os.access(nodes / f"davinci{n}", os.R_OK | os.W_OK)]
    if closed:
        what = f"this user may not open {shorten(closed)}"
        return problem("devices", f"{what}; run as root, or have the user added to the devices' group (HwHiAiUser)")
    if numbers and not seen.ascend:
        what = f"there are {len(numbers)} Ascend devices ({nodes}/davinci{numbers[0]}, ...), and MindSpore sees none"
        return problem("devices", f"{what}; {SET_ENV}")
    if wanted > seen.ascend:
        what = f"MindSpore sees {seen.ascend} Ascend devices; wanted {wanted}"
        return problem("devices", f"{what}; hand them to the container, and see that no variable hides some")
    if seen.ascend:
        return ok("devices", f"MindSpore sees {seen.ascend} Ascend devices")
    return ok("devices", f"MindSpore sees {seen.gpu} GPUs" if seen.gpu else "no Ascend device: computing on the CPU")


def check_driver(numbers: list[int], driver: Path = DRIVER) -> Finding:
    """The driver is there where devices are, and its tool answers."""
    version = card.version_in(driver / "version.info")
    if not version and not numbers:
        return ok("driver", "none, and no device that needs one")
    if not version:
        what = f"{driver / 'version.info'} is missing or names no version"
        return warning("driver", f"{what}; in a container mount {driver} of the host, otherwise install the driver")
    if not numbers:
        what = f"{version} is installed, and there is no node of a device (/dev/davinci0, ...)"
        return problem("driver", f"{what}; hand the devices to the container, or start the machine again")
    if shutil.which("npu-smi") is None:
        return warning("driver", f"{version}; npu-smi is not in PATH, so that the devices' health is not known")
    try:
        done = subprocess.run(["npu-smi", "info"], capture_output=True, text=True, timeout=SECONDS, check=False)
        said, status = (done.stdout + done.stderr).strip(), done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        said, status = str(error), 1
    if status:
        said = next(iter(said.splitlines()), f"status {status}")
        return problem("driver", f"{version}; npu-smi info fails: {said}; {HAND_OVER}")
    return ok("driver", f"{version}, and npu-smi answers")


def check_cann(seen: Seen, numbers: list[int], home: str) -> Finding:
    """CANN is set up where devices are, in a version that MindSpore asks for; `home` is ASCEND_HOME_PATH."""
    if not home and not numbers:
        return ok("CANN", "none, and no device that needs it")
    if not home:
        return warning("CANN", f"ASCEND_HOME_PATH is not set; {SET_ENV}")
    version = card.cann_version({card.CANN_VARIABLE: home})
    if not version:
        return warning("CANN", f"ASCEND_HOME_PATH is {home}, where compiler/version.info names no version; {SET_ENV}")
    if seen.cann and ".".join(version.split(".")[:2]) not in seen.cann:
        return warning(
            "CANN", f"{version}; this MindSpore asks for one of {', '.join(seen.cann)}: install one of these"
        )
    return ok("CANN", f"{version} at {home}")
