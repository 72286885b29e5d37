"""The wheel: what is in it, and that the command and the entry points work from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "clone" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(folder / "clone")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_holds_code_and_recipes_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "mindzoo/__init__.py" in names
    assert "mindzoo/models/densenet121/config/digits_cpu.yaml" in names
    assert "mindzoo/models/densenet121/public_weights.yaml" in names
    assert {"mindzoo/utils/data/sample.png", "mindzoo/models/hrnet_w48/first_losses.json"} <= set(names)
    assert {"mindzoo/scripts/launchers.sh", "mindzoo/models/hrnet_w48/scripts/run_eval.sh"} <= set(names)
    assert not [name for name in names if not name.startswith(("mindzoo/", "mindzoo-"))]
    assert not [name for name in names if "tests/" in name or "/test_" in name or name == "mindzoo/setup.py"]


@pytest.mark.slow
def test_installed_command_and_entry_point_run(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(target)
    code = "from mindzoo.cli import main; raise SystemExit(main(['list']))"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(target)}
    )
    assert "densenet121" in listed.stdout, listed.stderr
    script = target / "mindzoo" / "models" / "densenet121" / "train.py"
    refused = subprocess.run([sys.executable, str(script), "--data_dir", "nowhere"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "nowhere" in refused.stderr
