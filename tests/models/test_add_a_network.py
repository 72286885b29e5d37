"""docs/ADD_A_NETWORK.md, followed to the letter: its files make a network that trains, evaluates and exports."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.spec import ModelSpec

DOCUMENT = (ROOT / "docs" / "ADD_A_NETWORK.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w.]+)`\n\n```python\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL))
ANATOMY = {"__init__.py", "spec.py", "keys.py", "weights.py", "network.py", "train.py", "eval.py", "export.py"}
NAME = "plainnet"


def block_after(words: str) -> str:
    """The code that stands behind a sentence of the document."""
    found = re.search(rf"{re.escape(words)}\n\n```\w+\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, words
    return found[1]


def add_behind_the_last(pattern: str, line: str, text: str) -> str:
    """`text` with `line` behind the last line that matches."""
    place = [match.end() for match in re.finditer(rf"^{pattern}\n", text, flags=re.MULTILINE)][-1]
    return text[:place] + line + text[place:]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of the repository, and the network of the document."""
    root = tmp_path_factory.mktemp("clones") / "six networks"
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    if not names:
        pytest.skip("not a git clone")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    folder = root / "models" / NAME
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    entries = root / "models" / "__init__.py"
    text = entries.read_text(encoding="utf-8")
    imported = block_after("Behind the line that imports the other networks:")
    listed_as = block_after("In `SPECS`, behind the other networks:")
    text = add_behind_the_last(r"from mindzoo\.models import .*", imported, text)
    entries.write_text(add_behind_the_last(r'    "\w+": \w+\.SPEC,', listed_as, text), encoding="utf-8")
    return root


def run(folder: Path, *words: str) -> str:
    """Run a script of this folder, which must succeed; returns what it says."""
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-2000:]
    return done.stdout


def test_the_document_holds_the_files_of_every_network() -> None:
    assert set(FILES) == ANATOMY
    for folder in (path.parent for path in (ROOT / "models").glob("*/spec.py")):
        assert {path.name for path in folder.glob("*.py")} >= ANATOMY


def test_the_document_names_every_field_of_the_description() -> None:
    table = DOCUMENT.split("All fields of `SPEC`:")[1].split("## 5.")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)
    named = {word for cell in first_cells for word in re.findall(r"`(\w+)`", cell)}
    assert named == {field.name for field in fields(ModelSpec)}


def test_the_network_is_listed(clone: Path) -> None:
    (line,) = (line for line in run(clone, ".", "list").splitlines() if line.startswith(NAME))
    assert line.split()[1:4] == ["PlainNet", "-", "-"]


@pytest.mark.slow
def test_the_network_trains_evaluates_and_exports(clone: Path, colors: Path, tmp_path: Path) -> None:
    commands = block_after("two steps show whether all parts fit.").replace("DATA", str(colors))
    lines = [shlex.split(line.replace("OUT", str(tmp_path / "out")))[1:] for line in commands.splitlines()]
    assert [Path(script).name for script, *_ in lines] == ["train.py", "eval.py", "export.py"]
    said = [run(clone / "models" / NAME, *words) for words in lines]
    assert re.search(r"^epoch: 1, loss: \d\.\d{4}$", said[0], flags=re.MULTILINE)
    assert re.search(r"^accuracy: \d\.\d{4} of 13 images$", said[1], flags=re.MULTILINE)
    assert (tmp_path / "out" / "plainnet.mindir").is_file()
