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

END, SCAN = b"\xff\xd9", b"\xff\xda"
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
FRAMES = frozenset(SEQUENTIAL + PROGRESSIVE)
RESTARTS = frozenset(range(0xD0, 0xD8))
PASSED_OVER = frozenset((*range(0xE0, 0xF0), 0xFE, 0xDC))  # applications' segments, comments, the number of lines
# (name, blocks across, blocks down, quantization table) of each component.
Components = tuple[tuple[int, int, int, int], ...]
# The Huffman tables that libjpeg has itself, for the frames of a film, which bring none.
STANDARD_TABLES = frozenset((0x00, 0x01, 0x10, 0x11))


@dataclass(slots=True)
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
        head = content[:size].tobytes()
        scan = head.find(SCAN) + 2
        walked = _known_to_scan(head[: scan + int.from_bytes(head[scan : scan + 2], "big")])
        if not walked.scans:  # it began in a thumbnail
            walked = _to_scan(head)
        if walked.complete:
            return walked.found
        if walked.scans or size >= len(content):
            break
    return walk(content.tobytes())


def _to_scan(head: bytes) -> _Walk:
    """The walk as far as the first scan, or to where the head is damaged or ends."""
    walked = _Walk(head)
    with suppress(Fault):
        walked.run(to_scan=True)
    return walked


# Pictures that one script wrote, or one camera without its marks, often begin with the same bytes.
_known_to_scan = lru_cache(maxsize=256)(_to_scan)


@dataclass(slots=True)
class _Walk:
    content: bytes
    found: Jpeg = field(default_factory=Jpeg)
    frame: int = 0  # the marker of the frame header
    components: Components = ()
    quantization: frozenset[int] = frozenset()
    huffman: frozenset[int] = frozenset()  # 16 * class + number
    scans: int = 0
    has_exif: bool = False
    complete: bool = False  # behind the only scan of a sequential frame nothing but the end is left

    def run(self, *, to_scan: bool = False) -> Jpeg:
        content, at, pattern = self.content, 2, MARKER
        while next_marker := pattern.search(content, at):
            at, pattern = next_marker.end(), MARKER
            marker = content[at - 1]
            if marker == EOI and self.scans:
                return self.found
            if marker in RESTARTS:
                continue
            end = at + int.from_bytes(content[at : at + 2], "big")
            if self.complete or end > len(content) or end < at + 2:
                raise Fault(f"is cut off or damaged at marker {marker:02x}")
            self._segment(marker, content[at + 2 : end])
            if marker == SOS:
                pattern = MARKER_AFTER_DATA
                only = self.scans == 1 and content[at + 2] == len(self.components)
                self.complete = only and self.frame in SEQUENTIAL
                if to_scan:
                    return self.found
            at = end
        raise Fault("is cut off: its end marker is missing" if self.scans else "is cut off in its head")

    def _segment(self, marker: int, body: bytes) -> None:
        right = True
        if marker == DHT:
            self.huffman |= (tables := _huffman_tables(body))
            right = bool(tables)
        elif marker == DQT:
            self.quantization |= (tables := _quantization_tables(body))
            right = bool(tables)
        elif marker in FRAMES:
            right = not self.frame and self._frame(marker, body)
        elif marker == SOS:
            self.scans += 1
            if self.scans > MOST_SCANS or self.scans * self.found.width * self.found.height > MOST_SCANNED:
                raise Fault(f"has {self.scans} scans or more, too many for its size")
            right = self._scan(body)
        elif marker in PASSED_OVER:
            self._application(marker, body)
        elif marker == DAC:
            right = _is_conditioning(body)
        else:
            right = marker == DRI and len(body) == 2
        if not right:
            raise Fault(f"is damaged or of an unsupported kind: segment {marker:02x}")

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
        self.components, sampled = _components(body[6:])
        return sampled and max(width, height) <= LONGEST_SIDE

    def _scan(self, body: bytes) -> bool:
        """The components of a scan are of the frame, in its order, and their tables are there."""
        return bool(self.frame) and _is_scan(body, self.frame, self.components, self.quantization, self.huffman)


# Most files of a data set have the same components and tables.
@lru_cache(maxsize=256)
def _components(body: bytes) -> tuple[Components, bool]:
    """The components in a frame header, and whether their sampling is right."""
    found = tuple((body[k], body[k + 1] >> 4, body[k + 1] & 15, body[k + 2]) for k in range(0, len(body), 3))
    sides = [[component[k] for component in found] for k in (1, 2)]
    return found, all(1 <= factor <= 4 and max(side) % factor == 0 for side in sides for factor in side)


@lru_cache(maxsize=256)
def _is_scan(
    body: bytes, frame: int, components: Components, quantization: frozenset[int], huffman: frozenset[int]
) -> bool:
    count = body[0] if body else 0
    if not 1 <= count <= 4 or len(body) != 4 + 2 * count:
        return False
    first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
    progressive = frame in PROGRESSIVE
    if progressive and not _is_band(first, last, high, low, count):
        return False
    tables = huffman if progressive else huffman | STANDARD_TABLES
    blocks, start = 0, 0
    for name, chosen in zip(body[1:-3:2], body[2:-3:2], strict=True):
        place = next((k for k in range(start, len(components)) if components[k][0] == name), -1)
        needed = set() if progressive and (first or high) else {chosen >> 4}
        if first or not progressive:
            needed.add(16 | chosen & 15)
        if place < 0 or components[place][3] not in quantization:
            return False
        if frame not in ARITHMETIC and not needed <= tables:
            return False
        blocks, start = blocks + components[place][1] * components[place][2], place + 1
    return count == 1 or blocks <= 10


def _is_band(first: int, last: int, high: int, low: int, count: int) -> bool:
    """Whether a progressive scan may have these coefficients and bits."""
    band = first <= last <= 63 and count == 1 if first else last == 0
    return band and low <= 13 and high in (0, low + 1)


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
