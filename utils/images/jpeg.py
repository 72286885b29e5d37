"""The segments of a JPEG file (ITU-T T.81, annex B), walked through with the tables that they define.

MindSpore's JPEG decoders hand libjpeg an error handler that returns. libjpeg's contract forbids that: after what it
calls an error anything may happen, a crash, an endless loop or an exception. Such errors come from segments, sizes and
early ends, never from damaged picture data, of which libjpeg only warns. So a file whose segments are right to the end
marker can be decoded, and no other reaches the decoder.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from mindzoo.utils.images import exif
from mindzoo.utils.images.fault import Fault, check_size

END = b"\xff\xd9"
# Bytes in which the first scan begins: of most files, and of those with a thumbnail and a colour profile.
HEADS = (1 << 12, 1 << 17)
# Encoders write about ten scans. A small file of many large ones would take long.
MOST_SCANS, MOST_SCANNED = 100, 2_000_000_000  # the second one is of pixels, in all scans
LONGEST_SIDE = 65_500  # libjpeg's
# A byte ff may be repeated before a marker. ff 00 is none, and restart markers belong to the data of a scan.
MARKER = re.compile(rb"\xff([^\x00\xff])")
MARKER_AFTER_DATA = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
SOI, EOI, SOS, DQT, DHT, DAC, DRI, APP1, APP14 = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDD, 0xE1, 0xEE
SEQUENTIAL, PROGRESSIVE, ARITHMETIC = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA), (0xC9, 0xCA)
RESTARTS = range(0xD0, 0xD8)
PASSED_OVER = {*range(0xE0, 0xF0), 0xFE, 0xDC}  # applications' segments, comments, the number of lines
# The Huffman tables that libjpeg has itself, for the frames of a film, which bring none.
STANDARD_TABLES = frozenset((0x00, 0x01, 0x10, 0x11))


@dataclass
class Jpeg:
    """What the segments say."""

    width: int = 0
    height: int = 0
    components: int = 0
    adobe: bool = False  # it has Adobe's segment, which says that CMYK is stored inverted
    orientation: int = exif.UPRIGHT


def walk(content: bytes) -> Jpeg:
    """Go through the segments to the end marker.

    Raises:
        Fault: what libjpeg would call an error, a missing end marker, or too many pixels or scans.
    """
    return _Walk(content).run()


def look_through(content: np.ndarray) -> Jpeg:
    """The same of the bytes (N,) uint8 of a file, of which no more is read than is needed.

    Nothing behind the beginning of an only scan is an error for libjpeg. So of a file with one scan, as most of a data
    set are, the head and the last two bytes are enough: to look into all of its data would cost more than the rest.

    Raises:
        Fault: see `walk`.
    """
    for size in HEADS if content[-2:].tobytes() == END else ():
        head = _Walk(content[:size].tobytes())
        with suppress(Fault):  # perhaps since the head ends here
            head.run(to_scan=True)
        if head.complete:
            return head.found
        if head.scans or size >= len(content):
            break
    return walk(content.tobytes())


@dataclass
class _Walk:
    content: bytes
    found: Jpeg = field(default_factory=Jpeg)
    frame: int = 0  # the marker of the frame header
    # (name, blocks across, blocks down, quantization table)
    components: list[tuple[int, int, int, int]] = field(default_factory=list)
    quantization: set[int] = field(default_factory=set)
    huffman: set[int] = field(default_factory=set)  # 16 * class + number
    scans: int = 0
    has_exif: bool = False
    complete: bool = False  # behind the only scan of a sequential frame nothing but the end is left

    def run(self, *, to_scan: bool = False) -> Jpeg:
        content, at, pattern = self.content, 2, MARKER
        while next_marker := pattern.search(content, at):
            marker, at, pattern = next_marker[1][0], next_marker.end(), MARKER
            if marker == EOI and self.scans:
                return self.found
            if marker in RESTARTS:
                continue
            size = int.from_bytes(content[at : at + 2], "big")
            if self.complete or at + size > len(content) or size < 2:
                raise Fault(f"is cut off or damaged at marker {marker:02x}")
            self._segment(marker, content[at + 2 : at + size])
            at += size
            if marker == SOS:
                pattern = MARKER_AFTER_DATA
                only = self.scans == 1 and content[at - size + 2] == len(self.components)
                self.complete = only and self.frame in SEQUENTIAL
                if to_scan:
                    return self.found
        raise Fault("is cut off: its end marker is missing" if self.scans else "is cut off in its head")

    def _segment(self, marker: int, body: bytes) -> None:
        if marker in PASSED_OVER:
            self._application(marker, body)
        elif not self._is_right(marker, body):
            raise Fault(f"is damaged or of an unsupported kind: segment {marker:02x}")

    def _is_right(self, marker: int, body: bytes) -> bool:
        match marker:
            case 0xC0 | 0xC1 | 0xC9 | 0xC2 | 0xCA:
                return not self.frame and self._frame(marker, body)
            case 0xDB:
                self.quantization |= (tables := _quantization_tables(body))
                return bool(tables)
            case 0xC4:
                self.huffman |= (tables := _huffman_tables(body))
                return bool(tables)
            case 0xDA:
                self.scans += 1
                if self.scans > MOST_SCANS or self.scans * self.found.width * self.found.height > MOST_SCANNED:
                    raise Fault(f"has {self.scans} scans or more, too many for its size")
                return self._scan(body)
            case 0xCC:
                return _is_conditioning(body)
        return marker == DRI and len(body) == 2

    def _application(self, marker: int, body: bytes) -> None:
        if marker == APP1 and body.startswith(b"Exif\0\0") and not (self.scans or self.has_exif):
            self.has_exif = True  # of several the first one counts
            self.found.orientation = exif.orientation_of(body[6:])
        elif marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            self.found.adobe = True

    def _frame(self, marker: int, body: bytes) -> bool:
        if len(body) < 6 or body[0] != 8 or body[5] not in (1, 3, 4) or len(body) != 6 + 3 * body[5]:
            return False
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        check_size(width, height)
        self.frame = marker
        self.found.width, self.found.height, self.found.components = width, height, body[5]
        self.components = [(body[k], body[k + 1] >> 4, body[k + 1] & 15, body[k + 2]) for k in range(6, len(body), 3)]
        sides = [[component[k] for component in self.components] for k in (1, 2)]
        sampled = all(1 <= factor <= 4 and max(side) % factor == 0 for side in sides for factor in side)
        return sampled and max(width, height) <= LONGEST_SIDE

    def _scan(self, body: bytes) -> bool:
        """The components of a scan are of the frame, in its order, and their tables are there."""
        count = body[0] if body else 0
        if not self.frame or not 1 <= count <= 4 or len(body) != 4 + 2 * count:
            return False
        first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
        progressive = self.frame in PROGRESSIVE
        if progressive and not _is_band(first, last, high, low, count):
            return False
        tables = self.huffman if progressive else self.huffman | STANDARD_TABLES
        blocks, start = 0, 0
        for name, chosen in zip(body[1:-3:2], body[2:-3:2], strict=True):
            place = next((k for k in range(start, len(self.components)) if self.components[k][0] == name), -1)
            needed = set() if progressive and (first or high) else {chosen >> 4}
            if first or not progressive:
                needed.add(16 | chosen & 15)
            if place < 0 or self.components[place][3] not in self.quantization:
                return False
            if self.frame not in ARITHMETIC and not needed <= tables:
                return False
            blocks, start = blocks + self.components[place][1] * self.components[place][2], place + 1
        return count == 1 or blocks <= 10


def _is_band(first: int, last: int, high: int, low: int, count: int) -> bool:
    """Whether a progressive scan may have these coefficients and bits."""
    band = first <= last <= 63 and count == 1 if first else last == 0
    return band and low <= 13 and high in (0, low + 1)


# Most files of a data set have the same tables.
@lru_cache(maxsize=256)
def _quantization_tables(body: bytes) -> frozenset[int]:
    """The numbers of the tables in a segment; none where it is damaged."""
    at, found = 0, set()
    while at < len(body):
        found.add(body[at] & 15)
        at += 129 if body[at] >> 4 else 65
    return frozenset(found) if at == len(body) and max(found, default=0) < 4 else frozenset()


@lru_cache(maxsize=256)
def _huffman_tables(body: bytes) -> frozenset[int]:
    """16 * class + number of the tables in a segment; none where it is damaged."""
    at, found = 0, set()
    while at + 17 <= len(body):
        table, counts, code = body[at], body[at + 1 : at + 17], 0
        symbols = body[at + 17 : at + 17 + sum(counts)]
        for bits, count in enumerate(counts, 1):
            code = 2 * code + count
            if count and code >= 1 << bits:  # more codes than there are; that of ones only is forbidden
                return frozenset()
        if table & 0xEF > 3 or len(symbols) < sum(counts) or (table < 16 and max(symbols, default=0) > 15):
            return frozenset()
        found.add(table)
        at += 17 + len(symbols)
    return frozenset(found) if at == len(body) else frozenset()


def _is_conditioning(body: bytes) -> bool:
    """Whether a segment of arithmetic coding is right."""
    pairs = zip(body[::2], body[1::2], strict=False)
    return len(body) % 2 == 0 and all(k < 32 and (k > 15 or v & 15 <= v >> 4) for k, v in pairs)
