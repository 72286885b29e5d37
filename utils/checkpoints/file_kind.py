"""What a file is, by what is in it: names lie, and people download other things than they meant to."""

from __future__ import annotations

import re

from mindzoo.utils.checkpoints.safetensors_file import header_length

HEAD = 4096  # bytes that are enough to tell
CKPT, TORCH_ZIP, TORCH_LEGACY, SAFETENSORS, INDEX, ONNX = (
    "ckpt",
    "torch zip",
    "torch legacy",
    "safetensors",
    "index",
    "onnx",
)
ZIP = b"PK\3\4"
# How other files begin, what they are, and what to do.
OTHERS = (
    (b"version https://git-lfs", "a pointer of Git LFS, in place of the file; get it with git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them; wanted weights for MindSpore or PyTorch"),
    (b"\x93NUMPY", "an array of NumPy; wanted weights by name, as .safetensors for example"),
    (b"GGUF", "a GGUF file of a language model; wanted weights of an image network"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "an archive of 7-Zip; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"%PDF", "a PDF document; download the weights themselves"),
    (b"\x89PNG", "a picture; wanted weights"),
    (b"\xff\xd8\xff", "a picture; wanted weights"),
)
# The version of the format, below 32, and the field that follows it: who made the file, or the graph.
ONNX_HEAD = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x3a\x42]")
WEB = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


def kind_of(head: bytes, size: int) -> str | None:
    """The kind of a checkpoint of `size` bytes that begins with `head`, one of those above; None where it is none."""
    if header_length(head, size):
        return SAFETENSORS
    if head.startswith(ZIP):
        return TORCH_ZIP
    if head[:1] == b"\x80":
        return TORCH_LEGACY
    if head[:1] == b"\n" and b"\n" in head[2:7] and not _is_text(head):  # a value, and its name
        return CKPT
    if ONNX_HEAD.match(head):
        return ONNX
    return INDEX if head.lstrip()[:1] == b"{" and b'"weight_map"' in head else None


def described(head: bytes) -> str:
    """What a file is that is no checkpoint, and what to do: the end of a sentence that begins with its name."""
    for beginning, words in OTHERS:
        if head.startswith(beginning):
            return f"is {words}"
    if head[257:262] == b"ustar":
        return "is a tar archive; unpack it first"
    if head.lstrip()[:9].lower().startswith(WEB):
        return "is a web page, such as one that asks to log in; download the file itself"
    if not head.strip(b"\0"):
        return "is damaged or no checkpoint: it is made of zeros, which a disk leaves that never wrote it; copy it anew"
    if _is_text(head):
        return "is damaged or no checkpoint: it is a text; wanted .ckpt, .safetensors, .onnx or a file of torch.save"
    return f"is damaged or no checkpoint: it begins with {head[:8]!r}; wanted .ckpt, .safetensors, .onnx or a file of torch.save"


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8, perhaps cut off, without what texts do not have."""
    try:
        text = head[:-3].decode() if len(head) > 3 else head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 6:
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character in "\t\n\r\f" for character in text)
