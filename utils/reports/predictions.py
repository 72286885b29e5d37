"""What a network said of every image of an evaluation: the one file format for it.

A text file in UTF-8, one JSON value a line. The first line is an object with the folder of the images, the names of the
classes in the order of the outputs, and of what the predictions are. Each other line is
`["cat/001.jpg", 3, [3, 0, 7], [0.91, 0.05, 0.01]]`: an image, its class, the most probable classes, their probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import is_special, json_line, write_text

DIGITS = 6  # of a probability, behind the point
MOST_BYTES = 1 << 30  # of a file; ImageNet's 50,000 images take about 5 MB
LARGEST_CLASS = 1 << 20
MOST_SHARE = 1 + 1e-5  # a sum of float32 may be a little more than 1


@dataclass(frozen=True)
class Predictions:
    """The predictions for N images, the k most probable classes of each."""

    root: str  # the folder of the images, or the pack
    classes: tuple[str, ...]  # by label; a network may have outputs beyond them
    files: tuple[str, ...]  # "class/name.png"
    labels: np.ndarray  # (N,) int32
    best: np.ndarray  # (N, k) int32, the most probable first
    shares: np.ndarray  # (N, k) float32, their probabilities
    about: Mapping[str, Any] = field(default_factory=dict)  # epoch, step, checkpoint, orientation: what is known

    def __len__(self) -> int:
        return len(self.files)

    @property
    def hits(self) -> np.ndarray:
        """(N,) bool: the most probable class is the image's."""
        return np.asarray(self.best[:, 0] == self.labels)

    def name(self, label: int) -> str:
        """Of a class; an output without a name is called by its number."""
        return self.classes[label] if label < len(self.classes) else str(label)


def write(path: Path, found: Predictions) -> None:
    """Write the file, complete or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_text(path, "".join(_lines(found)))


def _lines(found: Predictions) -> Iterator[str]:
    yield json_line({"root": found.root, "classes": found.classes, **found.about})
    rounded = found.shares.astype(np.float64).round(DIGITS).tolist()
    for file, label, best, shares in zip(found.files, found.labels.tolist(), found.best.tolist(), rounded, strict=True):
        known = [share if share == share else None for share in shares]  # JSON has no NaN
        yield json.dumps([file, label, best, known], ensure_ascii=False) + "\n"


def read(path: Path) -> Predictions:
    """The predictions of a file.

    Raises:
        UserError: it cannot be read, or is none of this kind.
    """
    try:
        if is_special(path) or path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is no file of predictions; wanted one that an evaluation wrote")
        first, *others = path.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n").split("\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        about = parse_json(first)
        return _checked(about.pop("root"), about.pop("classes"), [json.loads(line) for line in others], about)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        raise UserError(f"{path} is damaged, or no file of predictions; evaluate again to write a new one") from None


def _checked(root: object, classes: Sequence[object], rows: Sequence[Any], about: Mapping[str, Any]) -> Predictions:
    """The predictions that the values of a file are.

    Raises:
        ValueError, TypeError: they are none.
    """
    files, labels, best, shares = zip(*rows, strict=True)
    found = Predictions(
        str(root),
        tuple(map(str, classes)),
        tuple(map(str, files)),
        _numbers(labels).astype(np.int32),
        _numbers(best).astype(np.int32),
        _shares(shares),
        about,
    )
    k = found.best.shape[1]
    if found.labels.ndim != 1 or found.best.shape != found.shares.shape or k < 1:
        raise ValueError("shapes differ")
    return found


def _shares(values: Sequence[Any]) -> np.ndarray:
    """Probabilities, some of them perhaps unknown.

    Raises:
        ValueError, TypeError: they are none.
    """
    shares = np.array(values, np.float64)
    if ((shares < 0) | (shares > MOST_SHARE)).any():
        raise ValueError("no probability")
    return shares.astype(np.float32)


def _numbers(values: Sequence[Any]) -> np.ndarray:
    """Numbers of classes.

    Raises:
        ValueError, TypeError, OverflowError: they are none.
    """
    numbers = np.array(values, np.int64)
    if numbers.min() < 0 or numbers.max() > LARGEST_CLASS:
        raise ValueError("no class has this number")
    return numbers
