"""The JSON file of results: each comparison is kept until it is measured anew, so that a long run may be taken in parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindzoo.scripts.dev.bench import machine
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import write_json

FORMAT = 1


def read(path: Path | None) -> dict[str, Any]:
    """The content of the file; no comparison where there is none.

    Raises:
        UserError: it is no file of results.
    """
    if path is None or not path.exists():
        return {"format": FORMAT, "machine": machine.facts(), "comparisons": []}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = content["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"{path} holds no results of a benchmark; wanted a file that it wrote, or one that is not there"
        )
    return content


def check_machine(path: Path | None, content: dict[str, Any]) -> None:
    """Refuse to put figures of this machine among those of another.

    Raises:
        UserError: the file has some.
    """
    here = machine.facts()
    if content["comparisons"] and content["machine"] != here:
        raise UserError(f"{path} is of another machine ({content['machine']}; this is {here}); name another file")
    content["machine"] = here


def add(content: dict[str, Any], results: Sequence[dict[str, Any]], order: Sequence[str]) -> None:
    """Put the results of a comparison in the place of earlier ones; comparisons stand in the given order."""
    names = {result["name"] for result in results}
    kept = [result for result in content["comparisons"] if result["name"] not in names]
    content["comparisons"] = sorted([*kept, *results], key=lambda result: order.index(result["name"]))


def write(path: Path | None, content: dict[str, Any]) -> None:
    """Write the file, where one is wanted."""
    if path:
        write_json(path, content)
