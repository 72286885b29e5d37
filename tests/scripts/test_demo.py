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

SHORT = 3  # epochs of the demo that every full run has
LEAST_ACCURACY = {"densenet121": 0.97}
NETWORKS = sorted(path.parent.parent.name for path in (ROOT / "models").glob("*/config/digits_cpu.yaml"))


def demo(network: str, folder: Path, *more: str) -> str:
    bin_folder = Path(sys.executable).parent
    active = {"VIRTUAL_ENV": str(bin_folder.parent), "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "scripts" / "demo.sh"), network, "--folder", str(folder), *more]
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


@pytest.mark.demo
@pytest.mark.parametrize("network", NETWORKS)
def test_demo_reaches_its_accuracy(network: str, tmp_path: Path) -> None:
    check(network, tmp_path / "demo", LEAST_ACCURACY.get(network, 0.93))


# All epochs of all networks take too long for every full run.
@pytest.mark.slow(minutes=2)
def test_a_shorter_demo_does_as_well_and_reuses_everything(tmp_path: Path) -> None:
    check("densenet121", tmp_path / "demo", 0.85, "--epochs", str(SHORT))


def check(network: str, folder: Path, least: float, *more: str) -> None:
    output = demo(network, folder, *more)
    accuracy = float(re.findall(r"validation top-1 +([\d.]+)", output)[0])
    assert accuracy >= least
    for suffix in ("mindir", "onnx"):
        facts = json.loads((folder / network / f"{network}.{suffix}.json").read_text())
        assert facts["verification"]["verified"] is True
        assert facts["verification"]["largest_relative_difference"] <= 1e-4
    before = checksums(folder)
    again = demo(network, folder, *more)
    assert "nothing to do" in again
    assert again.count("is there already") == 3  # the digits and both exported files
    after = checksums(folder)
    assert {name: after[name] for name in before} == before
