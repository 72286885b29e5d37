"""The floors of the house: the table in docs/ARCHITECTURE.md, and what the code's imports do against it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "mindzoo"
HEAD = "| Floor | Rooms | Never import MindSpore |"
# What a network may be made of: MindSpore, NumPy, and its own neighbours below models/.
NETWORK_FILES = ("network.py", "layers.py", "resnet.py")


@dataclass(frozen=True)
class Import:
    """One imported module, `mindzoo` left out: "utils.errors", or that of another package: "/mindspore"."""

    line: int
    module: str
    runs: bool  # when the file is imported, not only when a function is called


def table(page: Path) -> tuple[dict[str, int], set[str]]:
    """The floor of each room, 1 at the ground, and the rooms that never import MindSpore when they are imported."""
    text = page.read_text(encoding="utf-8")
    rows = list(text[text.index(HEAD) :].split("\n\n")[0].splitlines()[2:])
    floors: dict[str, int] = {}
    light: set[str] = set()
    for row in rows:
        number, rooms, free = (
            re.findall(r"`([^`]+)`", cell) or [cell.strip()] for cell in row.strip("| ").split(" | ")
        )
        floors.update(dict.fromkeys(rooms, int(number[0])))
        light.update(room for room in free if room != "-")
    return floors, light


def files(root: Path) -> Iterator[Path]:
    """The package's own files."""
    yield from (root / name for name in ("__init__.py", "__main__.py", "cli.py", "api.py") if (root / name).exists())
    for room in ("utils", "models"):
        yield from sorted((root / room).rglob("*.py"))


def imports(path: Path) -> list[Import]:
    """Everything that a file imports, but for what only the type checker reads."""
    found: list[Import] = []
    _collect(ast.parse(path.read_text(encoding="utf-8")).body, True, found)
    return found


def _collect(body: list[ast.stmt], runs: bool, found: list[Import]) -> None:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, _short(alias.name), runs) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [Import(node.lineno, _short(f"{node.module}.{alias.name}"), runs) for alias in node.names]
        inside = runs and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for name in ("body", "orelse", "finalbody"):
            _collect(getattr(node, name, []), inside, found)
        for handler in getattr(node, "handlers", []):
            _collect(handler.body, inside, found)


def _short(module: str) -> str:
    own = module == PACKAGE or module.startswith(f"{PACKAGE}.")
    return module[len(PACKAGE) :].lstrip(".") if own else f"/{module}"


def module_of(path: Path, root: Path) -> str:
    """utils/config/reading.py -> "utils.config.reading"."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def room_of(module: str, floors: dict[str, int]) -> str | None:
    """The room of the table that a module is in: the longest name that it begins with."""
    fitting = [room for room in floors if module == room or module.startswith(f"{room}.")]
    return max(fitting, key=len, default=None)


def upward(root: Path, floors: dict[str, int]) -> list[str]:
    """Every import that runs upward, and every file that is in no room."""
    found = []
    for path in files(root):
        module = module_of(path, root)
        if module in ("", "__main__", "utils"):
            continue
        room = room_of(module, floors)
        if room is None:
            found.append(f"{path.relative_to(root)} is in no room of the table")
            continue
        for imported in imports(path):
            other = room_of(imported.module, floors)
            if other and floors[other] > floors[room]:
                found.append(f"{path.relative_to(root)}:{imported.line}: {room} imports {other}, which is above it")
    return found


def of_networks(root: Path) -> list[str]:
    """Every import by which a network knows of the machinery, or the machinery of the networks."""
    found = []
    for path in files(root):
        shown = path.relative_to(root)
        for imported in imports(path):
            if shown.parts[0] == "models" and path.name in NETWORK_FILES and imported.module.startswith("utils"):
                found.append(f"{shown}:{imported.line}: a network imports {imported.module}")
            if shown.parts[0] == "utils" and imported.module.split(".")[0] == "models":
                found.append(f"{shown}:{imported.line}: the machinery imports {imported.module}")
    return found


def reaches_mindspore(root: Path, module: str) -> list[str]:
    """The chain of modules over which importing `module` imports MindSpore; empty where it does not."""
    known = {module_of(path, root): path for path in files(root)}
    chains, seen = [[module]], {module}
    while chains:
        chain = chains.pop(0)
        if chain[-1] not in known:
            continue
        for imported in imports(known[chain[-1]]):
            if not imported.runs:
                continue
            if imported.module.split(".")[0] == "/mindspore":
                return [*chain, "mindspore"]
            for name in _loaded(imported.module, known):
                if name not in seen:
                    seen.add(name)
                    chains.append([*chain, name])
    return []


def _loaded(imported: str, known: dict[str, Path]) -> Iterator[str]:
    """The modules that are run by an import: the packages above it too."""
    parts = imported.split(".")
    yield from (name for name in (".".join(parts[:count]) for count in range(1, len(parts) + 1)) if name in known)
