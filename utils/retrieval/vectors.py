"""Files of vectors: `F.npy`, `F.npy.json` with what they are of, and `F.npy.jsonl` with the image of every row.

`F.npy` is float32, (images, dimension), and is mapped into memory, so it may be larger than memory. `F.npy.json`
says by which network, checkpoint and preprocessing it was made; vectors of different ones cannot be compared, which
`check_same_source` refuses.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval.arrays import map_array
from mindzoo.utils.retrieval.facts import HINT, check_facts, read_facts
from mindzoo.utils.retrieval.rows import leads_out, read_rows


@dataclass(frozen=True)
class Vectors:
    """A file of vectors; row i of `array` is of the image on line i of `lines`."""

    array: np.ndarray  # (N, D) float32
    facts: dict[str, Any]
    lines: Path

    def images(self) -> Iterator[dict[str, str]]:
        """{"path": below the folder of images, "folder": that it lies in} of every row.

        Raises:
            UserError: the file of lines is damaged, has more or fewer of them, or names what is not below the folder.
        """
        number = 0
        for number, row in enumerate(read_rows(self.lines), 1):
            if leads_out(row["path"]):
                raise UserError(
                    f"line {number:,} of {self.lines} names {row['path']}, which is not below the folder of images; embed "
                    "the images again"
                )
            yield row
        if number != len(self.array):
            raise UserError(
                f"{self.lines} has {number:,} lines for {len(self.array):,} vectors; embed the images again"
            )

    def rows(self, some: slice) -> np.ndarray:
        """Some of the vectors.

        Raises:
            UserError: one of them is not finite.
        """
        found = self.array[some]
        finite = np.isfinite(found).all(axis=1)
        if not finite.all():
            raise UserError(
                f"the vector in row {some.start + int(finite.argmin()):,} of {self.lines.with_suffix('')} is not finite; embed "
                "the images again"
            )
        return found


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
    check_facts(facts_path(path), facts)
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
        array = map_array(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; {HINT}") from None
    except ValueError as error:
        raise UserError(f"{path} is no file of vectors, or damaged ({error}); {HINT}") from None
    if array.ndim != 2 or array.dtype != np.float32:
        raise UserError(f"{path} does not hold float32 vectors; {HINT}")
    return array


def header(rows: int, dimension: int) -> bytes:
    """The head of a .npy file, of the same length for any number of rows: NumPy leaves room for the number."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)})
    return file.getvalue()


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
        "orientation": "stored",  # files of before have no word on it
        **facts.get("preprocessing", {}),
        "checkpoint": str(checkpoint.get("sha256"))[:12],
        "weights": checkpoint.get("weights"),
    }


def _shown(value: Any) -> str:
    return show(tuple(value) if isinstance(value, list) else value)
