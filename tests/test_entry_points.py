"""The scripts of a clone that was never installed, in a folder with a space in its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained, newest_run, tiny

MODEL = Path("models") / "densenet121"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of the repository in a folder `x y`."""
    root = tmp_path_factory.mktemp("clones") / "x y"
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    if not names:
        pytest.skip("not a git clone")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


def run(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the README says, without PYTHONPATH; it must succeed without a word on stderr."""
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, script, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-2000:]
    return done


def small(batch: str = "6") -> list[str]:
    return [*tiny(), "--color_jitter", "", "--per_batch_size", batch, "--max_steps", "2"]


def code_of(clone: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in clone.rglob("*.py") if "output" not in p.relative_to(clone).parts}


def test_train_from_another_folder_with_the_spelling_of_the_table(colors: Path, clone: Path, tmp_path: Path) -> None:
    before = code_of(clone)
    done = run(tmp_path, str(clone / MODEL / "train.py"), "--Data_dir", str(colors / "train"), *small())
    assert (newest_run(tmp_path / "output") / "0-1_2.ckpt").is_file()
    assert f"this run writes to {Path('output') / newest_run(tmp_path / 'output').name}" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "output"]
    assert code_of(clone) == before


def test_train_from_the_folder_of_the_model(colors: Path, clone: Path, trained: Trained) -> None:
    """The original README's line, with what makes it small."""
    seed = ["--data_dir", str(colors / "train"), "--pretrained", str(trained.checkpoint), "--is_distributed", "0"]
    flags = ["--image_size", "32", "--per_batch_size", "6", "--max_steps", "2"]
    done = run(clone / MODEL, "train.py", *seed, *flags)
    assert f"load model {trained.checkpoint} success" in done.stdout
    assert (newest_run(clone / MODEL / "output") / "0-1_2.ckpt").is_file()


def test_train_from_the_root(colors: Path, clone: Path) -> None:
    run(clone, str(MODEL / "train.py"), "--data_dir", str(colors / "train"), *small())
    assert (newest_run(clone / "output") / "0-1_2.ckpt").is_file()


def test_eval_with_the_original_line(trained: Trained, clone: Path) -> None:
    """is_distributed is 1 by default, and no launcher started this process."""
    done = run(clone / MODEL, "eval.py", "--data_dir", str(trained.data), "--pretrained", str(trained.checkpoint))
    assert "after allreduce eval: top1_correct=13, tot=13, acc=100.00%" in done.stdout
    assert "is_distributed is 1, but no launcher started this process" in done.stdout


def test_eval_from_another_folder(trained: Trained, clone: Path, tmp_path: Path) -> None:
    words = ["--Data_dir", str(trained.data), "--pretrained", str(trained.checkpoint), "--is_distributed", "0"]
    done = run(tmp_path, str(clone / MODEL / "eval.py"), *words)
    assert "top1_correct=13, tot=13" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "output"]


def test_export_from_another_folder(trained: Trained, clone: Path, tmp_path: Path) -> None:
    run(tmp_path, str(clone / MODEL / "export.py"), "--ckpt_file", str(trained.checkpoint), "--file_format", "MINDIR")
    names = ["densenet121.mindir", "densenet121.mindir.json", "densenet121_predict_mindir.py"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", *names]


def test_a_script_runs_the_code_of_its_own_clone(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "installed" / "mindzoo"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    environment = {**os.environ, "PYTHONPATH": str(other.parent)}
    command = [sys.executable, str(clone / MODEL / "train.py"), "--help"]
    done = subprocess.run(command, cwd=other, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--Data_dir" in done.stdout
