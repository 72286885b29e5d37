"""Arrays in files that somebody else wrote: a length is compared with the file's before memory is asked for.

NumPy's own reader takes a file's word for how large its arrays are, and has Python read their description.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

MAGIC = b"\x93NUMPY\x01\x00"
HEAD = re.compile(
    rb"\{'descr': '(<f4|<f8|<U[0-9]{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,15}(?:, [0-9]{1,15})*,?)?)\),? ?\} *\n"
)
MOST_BYTES = 400_000_000  # of a file that is read as a whole
# The last bytes of a zip file without a comment, and what stands before them where it is larger than such files are.
END, END_OF_LARGE = struct.Struct("<4s4H2LH"), 20
MOST_DIRECTORY = 4096  # bytes: a whitening has four arrays


@dataclass(frozen=True)
class Head:
    """What the head of an array says."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool  # columns follow each other
    start: int  # of the numbers, in bytes from the head's beginning

    @property
    def length(self) -> int:
        """Bytes of head and numbers."""
        return self.start + self.dtype.itemsize * math.prod(self.shape)


def read_head(file: IO[bytes]) -> Head:
    """The head of an array in NumPy's format, from the place at which `file` is.

    Raises:
        ValueError: it is another one than that of an array of float32, float64 or text.
    """
    start = file.read(len(MAGIC) + 2)
    found = HEAD.fullmatch(file.read(int.from_bytes(start[len(MAGIC) :], "little"))) if start[:8] == MAGIC else None
    if not found:
        raise ValueError("its head is not that of a NumPy file of floating-point numbers")
    shape = tuple(int(side) for side in found[3].replace(b",", b" ").split())
    return Head(np.dtype(found[1].decode()), shape, found[2] == b"True", len(start) + len(found[0]))


def map_array(path: Path) -> np.ndarray:
    """The array in a .npy file, mapped into memory.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no array, an empty one, or the file is longer or shorter than it says.
    """
    with open(path, "rb") as file:
        head = read_head(file)
    size = path.stat().st_size
    if size != head.length or not all(head.shape):
        raise ValueError(f"it has {size:,} bytes and speaks of {head.length:,}")
    return np.memmap(path, head.dtype, "r", head.start, head.shape, "F" if head.fortran else "C")


def read_arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of these names, and no others, that `np.savez` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: something is wrong with it.
    """
    with open(path, "rb") as file:
        size = path.stat().st_size
        _check_directory(file, size, len(names))
        try:
            with zipfile.ZipFile(file) as archive:
                return [_read_member(archive, f"{name}.npy", size) for name in names]
        except OSError:
            raise
        except Exception as error:  # what `zipfile` makes of damaged bytes may be anything
            raise ValueError(" ".join(str(error).split())) from None


def _check_directory(file: IO[bytes], size: int, count: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, and {MOST_BYTES:,} is the most")
    file.seek(max(size - END.size - END_OF_LARGE, 0))
    tail = file.read()
    if len(tail) < END.size:
        raise ValueError("it is no file of arrays")
    magic, _, _, _, listed, length, _, comment = END.unpack(tail[-END.size :])
    if magic != b"PK\5\6" or comment or tail[: -END.size].startswith(b"PK\6\7") or length > MOST_DIRECTORY:
        raise ValueError("it is no file of arrays, or ends too early")
    if listed != count:
        raise ValueError(f"it has {listed} arrays instead of {count}")


def _read_member(archive: zipfile.ZipFile, name: str, size: int) -> np.ndarray:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or not info.file_size == info.compress_size <= size:
        raise ValueError(f"{name} in it is compressed")
    with archive.open(info) as file:
        head = read_head(file)
        if head.length != info.file_size:
            raise ValueError(f"{name} in it has {info.file_size:,} bytes and speaks of {head.length:,}")
        numbers = np.frombuffer(file.read(), head.dtype)
    return numbers.reshape(head.shape, order="F" if head.fortran else "C")
