"""Numbers and labels of images as the source of MindSpore's pipeline."""

from __future__ import annotations

import functools
import os
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

if TYPE_CHECKING:
    import mindspore.dataset as ds

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX, SUFFIX = "mindzoo-order-", ".csv"
COLUMNS = ["image", "label"]


def source(numbers: np.ndarray, labels: np.ndarray) -> ds.Dataset:
    """Rows of a number and a label, in their order.

    They go through a file: MindSpore reads it without Python, which saves a twentieth of what reading and decoding an image
    takes. The file is removed with the data set, or by the next process if this one is killed. Where none can be written, Python
    hands over the rows.

    Args:
        numbers, labels: (N,) integers below 2^31.

    Returns:
        Columns image and label, () int32.
    """
    import mindspore.dataset as ds

    numbers, labels = numbers.astype(np.int32), labels.astype(np.int32)
    try:
        if fcntl is not None:
            _remove_left()
        file, path = _written(zip(numbers.tolist(), labels.tolist(), strict=True))
    except OSError:
        return ds.NumpySlicesDataset((numbers, labels), COLUMNS, shuffle=False)
    # One thread: more would mix the rows.
    data = ds.CSVDataset(str(path), column_defaults=[0, 0], column_names=COLUMNS, num_parallel_workers=1, shuffle=False)
    weakref.finalize(data, _remove, file, path)
    return data


@functools.cache
def _remove_left() -> None:
    """Remove the files that killed processes have left; those of the living are locked."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError), path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _written(rows: zip[tuple[int, int]]) -> tuple[TextIO, Path]:
    """A file of the rows, locked as long as it is open; it gets its name once it is."""
    handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=".new")
    file, path = os.fdopen(handle, "w"), Path(name)
    try:
        file.write("\n".join(map("%d,%d".__mod__, rows)))
        file.flush()
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks, where nobody removes what is not locked
                fcntl.flock(file, fcntl.LOCK_EX)
        return file, path.rename(path.with_suffix(SUFFIX))
    except OSError:  # a full disk
        _remove(file, path)
        raise


def _remove(file: TextIO, path: Path) -> None:
    with suppress(OSError):
        file.close()
    with suppress(OSError):
        path.unlink()
