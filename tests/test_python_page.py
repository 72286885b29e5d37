"""docs/PYTHON.md and its notebook, run from top to bottom on a small run of the tests."""

from __future__ import annotations

import ast
import doctest
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mindzoo
from mindzoo.cli import main
from mindzoo.tests.documents.markdown import Page
from mindzoo.tests.support.networks import eagerly
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained

TRIED = "<!-- tried by tests/test_python_page.py -->"


@pytest.fixture
def left(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what README's first ten minutes leave, and what the page names."""
    (tmp_path / "first" / "run").mkdir(parents=True)
    shutil.copy(trained.checkpoint, tmp_path / "first" / "run" / "best.ckpt")
    shutil.copy(trained.checkpoint, tmp_path / "best.ckpt")
    shutil.copytree(trained.data / "val", tmp_path / "photographs" / "train")
    shutil.copytree(trained.data / "val" / "red", tmp_path / "photographs" / "val" / "things")
    (tmp_path / "photos").mkdir()
    for name, color in (("one", "red"), ("two", "blue")):
        shutil.copy(trained.data / "val" / color / "000.png", tmp_path / "photos" / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_cell(text: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, where that is an expression."""
    body = ast.parse(text).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if isinstance(last, ast.Expr) else None


def test_the_page(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--checkpoint", "best.ckpt", "--images", "photographs/train", "--output", "vectors.npy"]
    assert main(["embed", "densenet121", *words]) == 0
    assert main(["index", "vectors.npy", "--output", "index"]) == 0
    blocks = [block for block in Page("docs/PYTHON.md").blocks if block.before == TRIED]
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks[:2]:
        run_cell(block.text, names)
    with eagerly():
        run_cell(blocks[2].text, names)
    assert [m.shape for m in names["maps"]] == [(2, 12, 16, 16), (2, 10, 8, 8)]
    assert names["pooled"].head.fc(names["maps"][0]) is names["maps"][0]
    assert names["student"].head.fc.out_channels == 5
    assert names["answers"][0].label == "red"
    assert names["vectors"].shape[0] == 2
    assert [matches[0].path for matches in names["found"]] == ["red/000.png", "blue/000.png"]
    assert "densenet121" in capsys.readouterr().out


def test_the_examples_of_the_docstring(left: Path) -> None:
    for color in ("red", "blue"):
        shutil.copy(left / "photos" / f"{'one' if color == 'red' else 'two'}.png", left / f"{color}.png")
    (example,) = doctest.DocTestFinder(recurse=False).find(mindzoo.Classifier, globs={"mindzoo": mindzoo})
    assert doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(example).failed == 0


def test_the_notebook(left: Path) -> None:
    notebook = json.loads((ROOT / "docs" / "python.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    values = [run_cell("".join(cell["source"]), names) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert values[0][0] == "densenet121"
    assert values[3].shape == (3, 3)
    assert values[4] == 0
    assert [match.path.split("/")[0] for match in values[5]] == ["red"] * 3
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code")
