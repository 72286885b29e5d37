"""Answers as files for other programs: JSON, a line of JSON for each image, or CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindzoo.utils.files import json_line, said_of, whole_file, write_json, write_text

SUFFIXES = (".json", ".jsonl", ".csv")


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write what `Answer.row` gives of each image, as the name's suffix says, which is one of SUFFIXES.

    Raises:
        UserError: it cannot be written.
    """
    if path.suffix == ".json":
        write_json(path, rows)
    elif path.suffix == ".jsonl":
        write_text(path, "".join(map(json_line, rows)))
    else:
        _write_csv(path, rows)


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A line for each class of each image; a column "unsure" where there is a threshold."""
    with (
        said_of(path),
        whole_file(path) as unfinished,
        open(unfinished, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        marked = ["unsure"] if any("unsure" in row for row in rows) else []
        writer.writerow(["image", "rank", "class", "probability", *marked])
        for row in rows:
            more = [str(row[name]).lower() for name in marked]
            for rank, found in enumerate(row["classes"], 1):
                writer.writerow([inert(row["image"]), rank, inert(found["name"]), found["probability"], *more])


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what would begin one."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
