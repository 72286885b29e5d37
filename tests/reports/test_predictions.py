"""The file of predictions: what is written is read, and what is no such file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mindzoo.utils.errors import UserError
from mindzoo.utils.reports import predictions
from mindzoo.utils.reports.predictions import Predictions

HOSTILE = ("</script>\"'", "NaN", "a\nb\u2028c", "\u202egnp", "no\udcffutf", "x" * 200)


def some() -> Predictions:
    files = tuple(f"{name}/1.png" for name in HOSTILE)
    labels = np.arange(6, dtype=np.int32)
    best = np.stack([labels, 5 - labels], 1).astype(np.int32)
    shares = np.array([[0.75, 0.25]] * 5 + [[np.nan, np.nan]], np.float32)
    return Predictions("/data/val", HOSTILE, files, labels, best, shares, {"epoch": 3, "orientation": "exif"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    wanted = some()
    predictions.write(tmp_path / "p.jsonl", wanted)
    found = predictions.read(tmp_path / "p.jsonl")
    assert (found.root, found.classes, found.files, found.about) == (
        wanted.root, wanted.classes, wanted.files, wanted.about,
    )  # fmt: skip
    for name in ("labels", "best", "shares"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert (found.name(1), found.name(6)) == ("NaN", "6")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (0, ""),
        (0, "[]"),
        (0, '{"root": "/data", "epoch": 1}'),
        (1, "{"),
        (1, '["a", 0, [1, 2]]'),
        (1, '["a", 0, [1], [0.5]]'),
        (1, '["a", -1, [1, 2], [0.5, 0.5]]'),
        (1, '["a", 0, [1, 99999999999], [0.5, 0.5]]'),
        (1, '["a", [0], [1, 2], [0.5, 0.5]]'),
        (1, '["a", "b", [1, 2], [0.5, 0.5]]'),
        (1, "[" * 100_000),
        (1, '["a", 1, [1, 2], [1e300, 0.5]]'),
        (1, '["a", 1, [1, 2], [0.5, -0.5]]'),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, line: int, text: str) -> None:
    path = tmp_path / "p.jsonl"
    predictions.write(path, some())
    lines = path.read_text(errors="surrogateescape").split("\n")
    lines[line] = text
    path.write_text("\n".join(lines), errors="surrogateescape")
    with pytest.raises(UserError, match=r"p\.jsonl is damaged, or no file of predictions"):
        predictions.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*p\.jsonl: No such file"):
        predictions.read(tmp_path / "p.jsonl")
