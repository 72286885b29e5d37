"""What works on vectors alone needs no MindSpore, and does not wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.retrieval_files import write_vectors


def test_vectors_are_indexed_whitened_and_ranked_without_it(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((30, 4))
    vectors = str(write_vectors(tmp_path / "v.npy", values / np.linalg.norm(values, axis=1, keepdims=True)))
    index, whitening = str(tmp_path / "index"), str(tmp_path / "w.npz")
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "sys.modules['mindspore'] = None\n"  # importing it fails
        "from mindzoo.cli import main\n"
        f"assert main(['index', {vectors!r}, '--output', {index!r}]) == 0\n"
        f"assert main(['whiten', {vectors!r}, '--output', {whitening!r}]) == 0\n"
        f"assert main(['evaluate-retrieval', {vectors!r}]) == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(index).is_dir()
    assert Path(whitening).is_file()
