"""The floors of the house hold: nothing imports upward, and what is light stays light."""

from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mindzoo.tests.support import floors
from mindzoo.tests.support.paths import ROOT

FLOORS, LIGHT = floors.table(ROOT / "docs" / "ARCHITECTURE.md")
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_FILES_IN_UTILS = 400, 60, 14


def test_the_table_is_read() -> None:
    assert FLOORS["utils.errors"] < FLOORS["utils.config"] < FLOORS["utils.training"] < FLOORS["cli"]
    assert {
        "cli",
        "utils.commands",
        "utils.config",
        "models.*.spec",
        "models.*.keys",
        "utils.retrieval.search",
    } <= LIGHT


def test_nothing_imports_upward() -> None:
    assert floors.upward(ROOT, FLOORS) == []


def test_networks_and_machinery_do_not_know_each_other() -> None:
    assert floors.of_networks(ROOT) == []


def light_modules() -> list[str]:
    modules = [floors.module_of(path, ROOT) for path in floors.files(ROOT)]
    return [
        module
        for module in modules
        if any(fnmatch.fnmatchcase(module, room) or module.startswith(f"{room}.") for room in LIGHT - {"models"})
        or module == "models"
    ]


def test_light_rooms_do_not_import_mindspore() -> None:
    chains = [floors.reaches_mindspore(ROOT, module) for module in light_modules()]
    assert [" -> ".join(chain) for chain in chains if chain] == []
    assert len(chains) > 50


@pytest.mark.parametrize("words", [["list"], ["--help"], ["train", "hrnet_w48", "--help"], ["index", "--help"]])
def test_listing_and_explaining_need_no_mindspore(words: list[str]) -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "sys.modules['mindspore'] = None\n"  # importing it fails
        "from mindzoo.cli import main\n"
        f"raise SystemExit(main({words!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_no_help_loads_mindspore() -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "from mindzoo.cli import COMMANDS, main\n"
        "for command in COMMANDS.values():\n"
        "    words = [command.name, *(['hrnet_w48'] if command.of_a_network else [])]\n"
        "    try:\n"
        "        main([*words, '--help'])\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0, command.name\n"
        "    assert 'mindspore' not in sys.modules, command.name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("usage: mindzoo ") >= 18


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    """Three rooms, whose imports are allowed."""
    write = {
        "utils/errors.py": "import os\n",
        "utils/config/reading.py": "from mindzoo.utils.errors import UserError\n",
        "utils/training/loop.py": "import mindspore\nfrom mindzoo.utils.config import reading\n",
        "models/net/network.py": "import mindspore\n",
        "cli.py": "def main():\n    from mindzoo.utils.training import loop\n",
    }
    for name, text in write.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_good_house_is_not_blamed(small_house: Path) -> None:
    assert floors.upward(small_house, FLOORS) == []
    assert floors.of_networks(small_house) == []
    assert floors.reaches_mindspore(small_house, "cli") == []


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("utils/errors.py", "from mindzoo.utils.config.reading import key\n", "utils/errors.py:1: utils.errors imports utils.config"),
        ("utils/config/reading.py", "def f():\n    from mindzoo.utils import training\n", "utils/config/reading.py:2: utils.config"),
        ("utils/config/reading.py", "import mindzoo.cli\n", "utils.config imports cli"),
        ("utils/novel.py", "", "utils/novel.py is in no room"),
    ],
)  # fmt: skip
def test_an_import_that_runs_upward_is_found(small_house: Path, name: str, text: str, wanted: str) -> None:
    (small_house / name).write_text(text)
    (line,) = floors.upward(small_house, FLOORS)
    assert wanted in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/net/network.py", "from mindzoo.utils.pca import principal_components\n"),
        ("utils/training/loop.py", "def f():\n    from mindzoo.models import SPECS\n"),
    ],
)
def test_a_network_that_knows_the_machinery_is_found(small_house: Path, name: str, text: str) -> None:
    (small_house / name).write_text(text)
    assert len(floors.of_networks(small_house)) == 1


def test_a_light_room_that_gets_heavy_is_found(small_house: Path) -> None:
    (small_house / "cli.py").write_text("from mindzoo.utils.training import loop\n")
    assert floors.reaches_mindspore(small_house, "cli") == ["cli", "utils.training.loop", "mindspore"]
    (small_house / "cli.py").write_text("if TYPE_CHECKING:\n    from mindzoo.utils.training import loop\n")
    assert floors.reaches_mindspore(small_house, "cli") == []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Names and lengths."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, int(node.end_lineno or 0) - node.lineno + 1


def test_rooms_files_and_functions_are_small() -> None:
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.py"], capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in tracked.stdout.splitlines() if (ROOT / name).exists()]
    lines = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
    long = [f"{path}: {name} {n}" for path in paths for name, n in functions(path) if n > MOST_LINES_OF_A_FUNCTION]
    assert long == []
    assert len(list((ROOT / "utils").glob("*.py"))) <= MOST_FILES_IN_UTILS
