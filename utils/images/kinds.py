"""The kind of a file by its first bytes, whatever its name is."""

from __future__ import annotations

JPEG, PNG, BMP, TIFF, WEBP, GIF = "JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF"
READ = (JPEG, PNG, BMP, TIFF, WEBP, GIF)
BEGINNING, HEAD = 12, 4096  # bytes that are enough to tell one of READ, and anything else
BEGINNINGS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"BM", BMP),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
)
# What is found under the name of an image, and what it is.
OTHERS = (
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\5\x16\7", "a companion file of macOS"),
    (b"%PDF", "PDF"),
    (b"PK\3\4", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"8BPS", "Photoshop's PSD"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself"),
)
BOXES = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF"}


def kind_of(content: bytes) -> str:
    """One of READ, or "" where it is none of them."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    return next((kind for beginning, kind in BEGINNINGS if content.startswith(beginning)), "")


def described(content: bytes) -> str:
    """What a file is that is none of READ, as the end of a sentence that begins with its name."""
    head = content[:HEAD]
    if not content:
        return "is empty: 0 bytes"
    if not head.strip(b"\0"):
        return "holds zeros only, as a download that broke off"
    known = next((kind for beginning, kind in OTHERS if head.startswith(beginning)), "")
    if head[4:8] == b"ftyp":
        known = BOXES.get(head[8:12], "a film, or of the HEIF family")
    elif head.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        known = "a web page (HTML)"
    elif head.lstrip().startswith((b"<?xml", b"<svg")):
        known = "XML or SVG"
    found = f"is {known}" if known else "is no image"
    return f"{found}; {', '.join(READ[:-1])} and {READ[-1]} are read"
