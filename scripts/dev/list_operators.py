"""Writes docs/OPERATORS.md: every operator in the graphs of the five networks, with what MindSpore has for it on Ascend.

    python scripts/dev/list_operators.py [--check]

The graphs are those of small networks that hold every kind of layer: a training step, an evaluation step, the embedding
and an exported network of each, and training steps with every optimizer and every kind of state. MindSpore's frontend
compiles them as for an export, so that no kernel is built; their operators are read from the MindIR. Python code, ours and
MindSpore's, is told that the device is an Ascend card (a 910A and an A2), so that its branches are in the graphs; the
C++ frontend still knows the CPU. What is registered for an operator comes from ascend_registry.py, which needs
Linux on x86-64, a C compiler and `nm`.

--check compiles the graphs and changes nothing. It ends with status 1 if an operator has nothing registered, or if it is not
in the table as it should be; where MindSpore has another version than the table's, the table cannot be compared.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import mindspore as ms  # noqa: E402

from mindzoo.scripts.dev.operator_graphs import collect  # noqa: E402

PAGE, REGISTRY = ROOT / "docs" / "OPERATORS.md", ROOT / "scripts" / "dev" / "ascend_registry.py"
BEGIN, END = "<!-- operators: MindSpore {} -->", "<!-- end -->"
COLUMNS = ("Operator", "910A (GE)", "A2, A3 (aclnn)", "AICPU", "In the graphs")
# What a graph is built of, which is no work for a kernel: conditionals and the calls of their branches.
STRUCTURE = {"Partial", "Switch"}
Registered = Mapping[str, Mapping[str, bool]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is wrong")
    options = parser.parse_args()
    places = collect()
    if options.check:
        problems = list(differences(places, PAGE.read_text(encoding="utf-8")))
    else:
        rows = table(places, ask(places))
        text = re.sub(
            r"<!-- operators: .*<!-- end -->", lambda _: rows, PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        PAGE.write_text(text, encoding="utf-8")
        problems = list(differences(places, text))
    print("\n".join(problems) or f"{len(places)} operators, each with an entry")
    return 1 if problems else 0


def ask(operators: Iterable[str]) -> Registered:
    """What MindSpore registers for each operator; see ascend_registry.py."""
    command = [sys.executable, str(REGISTRY), *sorted(operators)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: Registered = json.loads(answer[answer.index("{\n") :])
    return found


def table(places: Mapping[str, Iterable[str]], registered: Registered) -> str:
    """The table and the marks around it; `places` says in which graphs an operator is."""
    lines = [BEGIN.format(ms.__version__), "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [
        _line((f"`{name}`", *entries(name, registered[name]), ", ".join(places[name]))) for name in sorted(places)
    ]
    return "\n".join([*lines, "", END])


def differences(places: Mapping[str, Iterable[str]], text: str) -> Iterable[str]:
    """What is wrong with the page `text` for graphs with these operators."""
    rows = rows_of(text)
    for name, (ge, aclnn, *_rest) in rows.items():
        if missing := where_missing(ge, aclnn, _rest[-1]):
            yield f"{name} has nothing registered on {missing}, and is in: {_rest[-1]}"
    if version_of(text) != ms.__version__:
        return
    for name in sorted(rows.keys() ^ places.keys()):
        yield f"{name} is {'not in the table' if name in places else 'in no graph'}; run scripts/dev/list_operators.py"
    for name in sorted(rows.keys() & places.keys()):
        if rows[name][-1] != ", ".join(places[name]):
            yield f"{name} is in other graphs than the table says; run scripts/dev/list_operators.py"


def where_missing(ge: str, aclnn: str, graphs: str) -> str:
    """The cards that meet an operator for which nothing is registered; empty where there is none.

    A graph whose name ends in a card's is for this card alone.
    """
    one_card = {graph.rpartition(" on ")[2] if " on " in graph else "" for graph in graphs.split(", ")}
    cards = {"910A", "A2"} if "" in one_card else one_card
    lacking = [card for card in sorted(cards) if ge == "-" and (card == "910A" or aclnn == "-")]
    return " and ".join(lacking)


def rows_of(text: str) -> dict[str, tuple[str, ...]]:
    """The table's cells behind the operator, by operator."""
    between = text[text.index("<!-- operators: ") : text.index(END)]
    return {
        cells[0].strip("`"): tuple(cells[1:])
        for line in between.splitlines()
        if line.startswith("| `") and (cells := line.strip("| ").split(" | "))
    }


def version_of(text: str) -> str:
    """The version of MindSpore that the table is of."""
    found = re.search(BEGIN.format("(.*)"), text)
    return found[1] if found else ""


def entries(name: str, registered: Mapping[str, bool]) -> tuple[str, str, str]:
    """What the table says of an operator: on a 910A, on A2 and A3, on the AICPU."""
    if name in STRUCTURE:
        return "graph", "graph", "-"
    ge = "adapter" if registered["ge"] else "rewritten" if registered["rewritten"] else "-"
    return ge, "yes" if registered["aclnn"] else "-", "yes" if registered["aicpu"] else "-"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
