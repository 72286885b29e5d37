"""The scripts around the package: requirements, digits, the choice of an environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from mindzoo.tests.support.paths import ROOT


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )


def test_this_environment_has_the_requirements_of_the_tests() -> None:
    done = run(sys.executable, ROOT / "scripts" / "requirements.py", "core", "dev")
    assert (done.returncode, done.stdout) == (0, "")


def test_requirements_lists_numpy_below_2() -> None:
    done = run(sys.executable, ROOT / "scripts" / "requirements.py", "--list", "core")
    assert "numpy>=1.26.4,<2" in done.stdout.splitlines()
    assert "mindspore>=2.8,<2.11" in done.stdout.splitlines()


def test_digits_are_split_the_same_way_every_time(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "prepare_digits.py"
    for name in ("a", "b"):
        assert run(sys.executable, script, tmp_path / name).returncode == 0
    listings = [sorted(str(p.relative_to(tmp_path / name)) for p in (tmp_path / name).rglob("*.png")) for name in "ab"]
    assert listings[0] == listings[1]
    assert len(listings[0]) == 1797
    shares = [
        len(list((tmp_path / "a" / "val" / str(d)).iterdir())) / len(list((tmp_path / "a").glob(f"*/{d}/*")))
        for d in range(10)
    ]
    assert min(shares) > 0.19
    assert max(shares) < 0.21
    picture = np.asarray(Image.open(tmp_path / "a" / listings[0][0]))
    assert picture.shape == (32, 32)
    assert picture.min() < 20
    assert picture.max() > 200


def test_digits_of_a_long_tail_fall_by_a_power_law(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "prepare_digits.py"
    assert run(sys.executable, script, tmp_path / "tail", "--long_tail", "30").returncode == 0
    sizes = {
        part: [len(list((tmp_path / "tail" / part / str(d)).iterdir())) for d in range(10)] for part in ("train", "val")
    }
    assert sizes["train"] == [89, 32, 18, 11, 8, 6, 5, 4, 3, 3]
    assert sizes["val"] == [89, 32, 18, 11, 10, 10, 10, 10, 10, 10]
    done = run(sys.executable, script, tmp_path / "other", "--long_tail", "0.5")
    assert (done.returncode, done.stderr) == (2, "error: long_tail is 0.5; wanted a number from 1 to 89\n")


def test_digits_leave_a_folder_with_something_else_alone(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    done = run(sys.executable, ROOT / "scripts" / "prepare_digits.py", tmp_path)
    assert done.returncode == 2
    assert "something else" in done.stderr
    assert [p.name for p in tmp_path.iterdir() if p.name != "cwd"] == ["keep.txt"]


def test_an_active_environment_with_the_requirements_is_used_as_it_is() -> None:
    line = f'source "{ROOT}/scripts/environment.sh"; use_environment core dev; echo "PYTHON=$PYTHON"'
    folder = Path(sys.executable).parent
    done = run("bash", "-c", line, VIRTUAL_ENV=str(folder.parent), PATH=f"{folder}:{os.environ['PATH']}")
    assert "using the active environment" in done.stdout
    assert "PYTHON=python\n" in done.stdout


def test_test_script_refuses_an_unknown_argument() -> None:
    done = run("bash", ROOT / "scripts" / "test.sh", "--fast")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_chromium_is_installed_where_it_is_missing_and_that_can_be_done(tmp_path: Path) -> None:
    def said(**programs: str) -> str:
        for name, does in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
        return run("bash", "-c", f'source "{ROOT}/scripts/environment.sh"; PATH="{tmp_path}"; prepare_browser').stdout

    missing = "no Chromium, so pages are not tested in a browser"
    assert missing in said(id="echo 1000")
    assert missing in said(id="echo 0", **{"apt-get": "exit 100"})
    assert missing not in said(**{"apt-get": f'echo "$@" >> "{tmp_path}/log"'})
    assert "install -qq --no-install-recommends chromium" in (tmp_path / "log").read_text()
    assert said(chromium="") == ""
