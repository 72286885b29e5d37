"""The operators under the sanitizers of addresses and of undefined behaviour, in two threads at once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mindzoo.utils.native import library


@pytest.mark.slow
def test_no_operator_leaves_its_memory(tmp_path: Path) -> None:
    sources = [*library.SOURCE.glob("*.cpp"), Path(__file__).with_name("exercise.cpp")]
    program = tmp_path / "exercise"
    flags = ["-std=c++17", "-O1", "-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(program), "-ldl", "-lpthread"], check=True)
    done = subprocess.run(
        [str(program), str(library._onednn())], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
