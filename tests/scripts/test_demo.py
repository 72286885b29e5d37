"""The demo as a newcomer runs it, twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.compiling import graphs
from mindzoo.utils.engine import choice

LEAST_ACCURACY = {"densenet121": 0.97}
NETWORKS = sorted(path.parent.parent.name for path in (ROOT / "models").glob("*/config/digits_cpu.yaml"))


def demo(network: str, folder: Path) -> str:
    bin_folder = Path(sys.executable).parent
    active = {"VIRTUAL_ENV": str(bin_folder.parent), "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "scripts" / "demo.sh"), network, "--folder", str(folder)]
    environment = {**os.environ, choice.VARIABLE: "auto", graphs.VARIABLE: "auto", **active}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


# One of them with every full run; all of them take too long for that.
@pytest.mark.demo
@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=pytest.mark.slow(minutes=3)) if name in LEAST_ACCURACY else name for name in NETWORKS],
)
def test_demo_reaches_its_accuracy_and_reuses_everything(network: str, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    output = demo(network, folder)
    accuracy = float(re.findall(r"validation top-1 +([\d.]+)", output)[0])
    assert accuracy >= LEAST_ACCURACY.get(network, 0.93)
    for suffix in ("mindir", "onnx"):
        facts = json.loads((folder / network / f"{network}.{suffix}.json").read_text())
        assert facts["verification"]["verified"] is True
        assert facts["verification"]["largest_relative_difference"] <= 1e-4
    before = checksums(folder)
    again = demo(network, folder)
    assert "nothing to do" in again
    assert again.count("is there already") == 3  # the digits and both exported files
    after = checksums(folder)
    assert {name: after[name] for name in before} == before
