"""Files of vectors: `F.npy`, `F.npy.json` with what they are of, and `F.npy.jsonl` with the image of every row.

`F.npy` is float32, (images, dimension), and is mapped into memory, so it may be larger than memory. `F.npy.json`
says by which network, checkpoint and preprocessing it was made; vectors of different ones cannot be compared, which
`check_same_source` refuses.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError

HINT = "wanted a file that mindzoo embed wrote"


@dataclass(frozen=True)
class Vectors:
    """A file of vectors; row i of `array` is of the image on line i of `lines`."""

    array: np.ndarray  # (N, D) float32
    facts: dict[str, Any]
    lines: Path

    def images(self) -> Iterator[dict[str, str]]:
        """{"path": below the folder of images, "folder": that it lies in} of every row."""
        return read_lines(self.lines)


def facts_path(vectors: Path) -> Path:
    return vectors.with_name(vectors.name + ".json")


def lines_path(vectors: Path) -> Path:
    return vectors.with_name(vectors.name + ".jsonl")


def open_vectors(path: Path) -> Vectors:
    """Map the vectors and read their facts.

    Raises:
        UserError: something is missing, damaged, or the three files do not belong together.
    """
    array, facts = load_array(path), read_facts(facts_path(path))
    lines = lines_path(path)
    if not lines.is_file():
        raise UserError(f"{lines} is missing, which names the images of {path.name}; {HINT}")
    if list(array.shape) != [facts.get("count"), facts.get("dimension")] or not len(array):
        shape = "x".join(map(str, array.shape))
        raise UserError(
            f"{path} holds {shape} numbers, and {facts_path(path).name} says "
            f"{facts.get('count')}x{facts.get('dimension')}; embed the images again"
        )
    return Vectors(array, facts, lines)


def load_array(path: Path) -> np.ndarray:
    """A .npy file of float32 vectors (N, D), mapped into memory.

    Raises:
        UserError: missing or something else.
    """
    if not path.is_file():
        raise UserError(f"the file of vectors {path} is {'a folder' if path.is_dir() else 'missing'}; {HINT}")
    if not path.stat().st_size:
        raise UserError(f"the file of vectors {path} is empty; {HINT}")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} is no file of vectors, or damaged ({error}); {HINT}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype != np.float32:
        raise UserError(f"{path} does not hold float32 vectors; {HINT}")
    return array


def header(rows: int, dimension: int) -> bytes:
    """The head of a .npy file, of the same length for any number of rows: NumPy leaves room for the number."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)})
    return file.getvalue()


def read_facts(path: Path) -> dict[str, Any]:
    """The facts beside a file.

    Raises:
        UserError: missing, or no JSON object.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; {HINT}") from None
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise UserError(f"{path} is damaged: no JSON object; {HINT}")
    return facts


def read_lines(path: Path, wanted: Collection[int] | None = None) -> Iterator[dict[str, str]]:
    """The objects of a file of JSON lines; those of the lines `wanted`, from 0, in the order of the file."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file):
            if wanted is None or number in wanted:
                yield json.loads(line)


def check_same_source(expected: Mapping[str, Any], found: Mapping[str, Any], what: str, other: str) -> None:
    """Refuse to compare vectors of another network, checkpoint or preprocessing.

    Args:
        expected, found: facts.
        what, other: what `expected` and `found` are called, for the error.

    Raises:
        UserError: names the first things that differ.
    """
    if difference := differences(expected, found):
        raise UserError(
            f"{what} does not fit {other}: {difference}; wanted the same network, checkpoint and preprocessing"
        )


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """'image_size 64,64 instead of 32,32' for what makes the vectors of two sources different; empty where nothing."""
    wanted, had = _source(expected), _source(found)
    names = [name for name in {**wanted, **had} if wanted.get(name) != had.get(name)]
    return ", ".join(f"{name} {_shown(had.get(name))} instead of {_shown(wanted.get(name))}" for name in names[:2])


def _source(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What decides over the vector that an image gets."""
    checkpoint = facts.get("checkpoint", {})
    return {
        "network": facts.get("network"),
        "dimension": facts.get("dimension"),
        **facts.get("options", {}),
        **facts.get("preprocessing", {}),
        "checkpoint": str(checkpoint.get("sha256"))[:12],
        "weights": checkpoint.get("weights"),
    }


def _shown(value: Any) -> str:
    return show(tuple(value) if isinstance(value, list) else value)
