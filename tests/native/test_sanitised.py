"""The native code under the sanitizers of addresses and of undefined behaviour, in two threads at once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.native import jpeg_part, library

HERE = Path(__file__).parent
FLAGS = ["-std=c++17", "-O1", "-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.slow
def test_no_operator_leaves_its_memory(tmp_path: Path) -> None:
    exercise(tmp_path, library.SOURCE, HERE / "exercise.cpp", str(library._onednn()))


def test_the_decoder_of_parts_stays_in_its_memory(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (47, 61, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.jpg")
    words = [jpeg_part._libjpeg(), str(tmp_path / "noise.jpg"), "61", "47"]
    exercise(tmp_path, jpeg_part.LIBRARY.source, HERE / "exercise_jpeg.cpp", *words)


def exercise(folder: Path, source: Path, main: Path, *words: str) -> None:
    """Build the sources with a main program under the sanitizers, and run it, which must end well."""
    program = folder / "exercise"
    sources = [*source.glob("*.cpp"), main]
    subprocess.run(["g++", *FLAGS, *map(str, sources), "-o", str(program), "-ldl", "-lpthread"], check=True)
    done = subprocess.run(
        [str(program), *words], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
