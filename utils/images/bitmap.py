"""Pixels as a file that every decoder reads to the same pixels, at the cost of a copy: BMP, 24 bits, from top to bottom."""

from __future__ import annotations

import struct

import numpy as np

HEADERS = 14 + 40  # bytes: of the file, and of the picture (BITMAPINFOHEADER)


def as_bitmap(pixels: np.ndarray) -> np.ndarray:
    """The bytes (uint8) of a BMP file with these pixels (H, W, 3) uint8 RGB."""
    height, width, _ = pixels.shape
    row = -(-3 * width // 4) * 4
    file = np.zeros(HEADERS + height * row, np.uint8)
    header = struct.pack("<2sIHHI", b"BM", len(file), 0, 0, HEADERS)
    header += struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, height * row, 0, 0, 0, 0)
    file[:HEADERS] = np.frombuffer(header, np.uint8)
    file[HEADERS:].reshape(height, row)[:, : 3 * width] = pixels[:, :, ::-1].reshape(height, 3 * width)
    return file
