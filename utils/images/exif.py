"""The mark in which a camera says how it was held: the tag Orientation of Exif 2.32, section 4.6.4."""

from __future__ import annotations

import struct

import numpy as np

UPRIGHT = 1
ORIENTATION = 0x0112
# Types of whole numbers. The standard wants the second; other programs read the others too.
WHOLE = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i"}
ENTRY = 12  # bytes


def orientation_of(block: bytes) -> int:
    """The mark in an Exif block, which has the form of a TIFF file: 1 (upright, or no mark) to 8."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return UPRIGHT
    at = struct.unpack_from(f"{order}I", block, 4)[0]
    if at + 2 > len(block):
        return UPRIGHT
    count = struct.unpack_from(f"{order}H", block, at)[0]
    for entry in range(at + 2, min(at + 2 + ENTRY * count, len(block) - ENTRY + 1), ENTRY):
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, entry)
        if tag == ORIENTATION:
            value = struct.unpack_from(f"{order}{WHOLE[kind]}", block, entry + 8)[0] if kind in WHOLE and values else 0
            return int(value) if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The picture (H, W, 3) upright; its sides change places for 5 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    down, across = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return pixels[:: -1 if down else 1, :: -1 if across else 1]
