"""A clone that was never installed runs its own code, wherever it lies and whatever it is called."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mindzoo.tests.documents.markdown import Page

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code in a folder called "x y"."""
    folder = tmp_path_factory.mktemp("clone") / "x y"
    folder.mkdir()
    for name in ("utils", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "__main__.py", "cli.py"):
        shutil.copy(ROOT / name, folder / name)
    version = (folder / "__init__.py").read_text(encoding="utf-8").replace("__version__ = ", "__version__ = 'x y' or ")
    (folder / "__init__.py").write_text(version, encoding="utf-8")
    return folder


def run(words: Sequence[str], cwd: Path, python_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(python_path or "")}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("page", ["PYTHON.md", "PYTHON_CN.md"])
def test_the_python_lines_of_the_documents_work_in_a_clone_that_is_not_installed(clone: Path, page: str) -> None:
    blocks = [block.text for block in Page(f"docs/{page}").blocks if block.language == "python"]
    begin = blocks[0]
    (rest,) = (text for text in blocks if "list_models" in text)
    rest = rest.partition("net = ")[0]  # a whole network takes a while
    done = run(["-c", f"{begin}\n{rest}"], clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("['densenet121', ")


def test_the_folder_runs_its_own_code_from_elsewhere(clone: Path, tmp_path: Path) -> None:
    done = run([str(clone), "--version"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "mindzoo x y\n", "")


def test_an_entry_point_prefers_its_clone_to_an_installed_package(clone: Path, tmp_path: Path) -> None:
    decoy = tmp_path / "mindzoo" / "__init__.py"
    decoy.parent.mkdir()
    decoy.write_text("raise RuntimeError('the installed package was imported')\n", encoding="utf-8")
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(clone / 'models' / 'densenet121' / 'train.py')!r}, run_name='train')\n"
        "import mindzoo.models.densenet121.network as network, mindzoo.utils.config.reading as config\n"
        "print(network.__file__, config.__file__, sys.modules['mindzoo'].__version__, sep='\\n')\n"
    )
    done = run(["-c", code], tmp_path, tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        str(clone / "models" / "densenet121" / "network.py"),
        str(clone / "utils" / "config" / "reading.py"),
        "x y",
    ]


def test_an_entry_point_explains_itself_from_elsewhere(clone: Path, tmp_path: Path) -> None:
    done = run([str(clone / "models" / "densenet121" / "train.py"), "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--data_dir" in done.stdout


def test_what_is_registered_stays(clone: Path) -> None:
    before = sys.modules["mindzoo"]
    runpy.run_path(str(clone / "utils" / "importable.py"), run_name="importable")
    assert sys.modules["mindzoo"] is before
    assert Path(str(before.__file__)) == ROOT / "__init__.py"


def test_nothing_happens_where_the_file_is_merely_imported(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mindzoo")
    runpy.run_path(str(clone / "utils" / "importable.py"), run_name="something else")
    assert "mindzoo" not in sys.modules
