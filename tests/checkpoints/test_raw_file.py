"""What a file is stands in the file: its name may say anything."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mindzoo.models import SPECS
from mindzoo.tests.support import torch_files, weight_files
from mindzoo.utils.checkpoints import checkpoint_file, raw_file
from mindzoo.utils.errors import LONGEST_LINE, UserError

WEIGHTS = weight_files.tiny_weights()
OF_TORCH = weight_files.of_torch(WEIGHTS)


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch_files.Made]:
    return {name: torch_files.tensor(value, str(place)) for place, (name, value) in enumerate(arrays.items())}


WRITERS: dict[str, Callable[[Path], object]] = {
    "ours": lambda path: path.write_bytes(weight_files.ours(WEIGHTS)),
    "ckpt": lambda path: path.write_bytes(weight_files.ckpt(WEIGHTS)),
    "ckpt without a checksum": lambda path: path.write_bytes(weight_files.ckpt(WEIGHTS, checksum=False)),
    "safetensors": lambda path: path.write_bytes(weight_files.safetensors(OF_TORCH)),
    "zip": lambda path: torch_files.write_zip(path, tensors(OF_TORCH)),
    "legacy": lambda path: torch_files.write_legacy(path, tensors(OF_TORCH)),
}
NAMES = ("x.ckpt", "x.pth", "x.pth.tar", "x.safetensors", "pytorch_model.bin", "x", "x.zip", "x.txt")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", NAMES)
def test_the_content_says_what_a_file_is(tmp_path: Path, kind: str, name: str) -> None:
    WRITERS[kind](tmp_path / name)
    spec, found = checkpoint_file.recognise(tmp_path / name, SPECS.values())
    assert spec.name == "densenet121"
    assert found.weights.keys() == WEIGHTS.keys()
    for key, value in WEIGHTS.items():
        np.testing.assert_array_equal(found.weights[key], value, err_msg=key)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_carries_no_checksum_says_so_in_a_line(tmp_path: Path, kind: str, logged: list[str]) -> None:
    WRITERS[kind](tmp_path / "x")
    checkpoint_file.recognise(tmp_path / "x", SPECS.values())
    said = [line for line in logged if "carries no checksum" in line]
    unchecked = {
        "ckpt without a checksum": "MindSpore's format",
        "safetensors": "the format of safetensors",
        "legacy": "the format of PyTorch before 1.6",
    }
    if kind not in unchecked:
        assert said == []
    else:
        (line,) = said
        assert line.startswith(f"{tmp_path / 'x'} carries no checksum, as {unchecked[kind]} may")


def packed(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def archive(*names: str) -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as made:
            for name in names:
                made.writestr(name, b"content")

    return packed(write)


def tar(file: io.BytesIO) -> None:
    with tarfile.open(fileobj=file, mode="w") as made:
        made.addfile(tarfile.TarInfo("weights.pth"))


PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Log in to download</body></html>\n"
OTHERS = {
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
        "git lfs pull",
    ),
    "a web page": (PAGE, "a web page, such as one that asks to log in"),
    "a web page behind a line": (b"\n  " + PAGE[16:], "a web page"),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras writes them"),
    "an array": (packed(lambda file: np.save(file, np.zeros(3))), "an array of NumPy"),
    "arrays": (packed(lambda file: np.savez(file, a=np.zeros(3))), "torch.save did not write, with a.npy"),
    "an office document": (
        archive("[Content_Types].xml", "word/document.xml"),
        "with [Content_Types].xml, word/document.xml",
    ),
    "Keras": (archive("metadata.json", "config.json", "model.weights.h5"), "torch.save did not write"),
    "gzip": (gzip.compress(weight_files.ours(WEIGHTS)), "compressed by gzip; unpack it first"),
    "tar": (packed(tar), "a tar archive; unpack it first"),
    "ONNX": (b"\x08\x07\x12\x07pytorch" + bytes(30), "is damaged or no ONNX file"),
    "a PDF": (b"%PDF-1.7\n" + bytes(30), "a PDF document"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(30), "a picture"),
    "zeros": (bytes(5000), "made of zeros"),
    "a text": (b"not found\n", "it is a text"),
    "JSON": (b'{"error": "not found"}', "it is a text"),
    "noise": (b"\xf3\x01\x77\xfe" * 30, "it begins with"),
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("name", ["x.ckpt", "x.pth", "x.safetensors"])
def test_other_files_say_what_they_are(tmp_path: Path, case: str, name: str) -> None:
    content, words = OTHERS[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        raw_file.read_raw(tmp_path / name)
    assert words in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value)) <= LONGEST_LINE
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("link")
    os.mkfifo(tmp_path / "pipe")
    for name, words in {
        ".": "a folder",
        "none": "missing",
        "empty": "is empty",
        "link": "missing",
        "pipe": "read twice",
    }.items():
        with pytest.raises(UserError, match=words):
            raw_file.read_raw(tmp_path / name)


@pytest.mark.parametrize("kind", ["ckpt", "safetensors", "zip"])
def test_names_that_no_parameter_has_are_refused(tmp_path: Path, kind: str) -> None:
    long = {"a" * 5000: np.zeros(2, np.float32)}
    if kind != "zip":
        written = weight_files.ckpt(long) if kind == "ckpt" else weight_files.safetensors(long)
        (tmp_path / "x").write_bytes(written)
    else:
        torch_files.write_zip(tmp_path / "x", tensors(long))
    with pytest.raises(UserError, match="a name of 5000 characters"):
        raw_file.read_raw(tmp_path / "x")


@pytest.mark.parametrize("kind", ["ckpt", "safetensors", "zip"])
def test_a_file_larger_than_the_memory_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path / "x")
    os.truncate(tmp_path / "x", 1 << 42)  # without taking the place on the disk
    with pytest.raises(UserError, match=r"has 4,398,046,511,104 bytes, .* are free in memory"):
        raw_file.read_raw(tmp_path / "x")


def split(folder: Path, **changed: str) -> Path:
    """The weights in two files, and the list of them; `changed` names that it gives another file for."""
    names = list(OF_TORCH)
    parts = {"model-00001-of-00002.safetensors": names[:10], "model-00002-of-00002.safetensors": names[10:]}
    for part, listed in parts.items():
        (folder / part).write_bytes(weight_files.safetensors({name: OF_TORCH[name] for name in listed}))
    places = {name: part for part, listed in parts.items() for name in listed}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": {**places, **changed}}))
    return index


def test_a_file_that_was_split_is_read_by_its_list(tmp_path: Path) -> None:
    _, found = checkpoint_file.recognise(split(tmp_path), SPECS.values())
    assert found.weights.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        np.testing.assert_array_equal(found.weights[name], value, err_msg=name)


def test_one_part_is_refused_with_the_name_of_the_list(tmp_path: Path) -> None:
    split(tmp_path)
    with pytest.raises(UserError, match=r"one part of a file .* model\.safetensors\.index\.json"):
        raw_file.read_raw(tmp_path / "model-00001-of-00002.safetensors")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("../model-00001-of-00002.safetensors", "wanted names such as"),
        ("/etc/passwd", "wanted names such as"),
        ("model-00009-of-00002.safetensors", "is missing"),
        ("model-00002-of-00002.safetensors", "lists 1 tensors that its parts do not hold"),
    ],
)
def test_a_list_of_other_places_is_refused(tmp_path: Path, part: str, words: str) -> None:
    index = split(tmp_path, **{"features.conv0.weight": part})
    with pytest.raises(UserError, match=words):
        raw_file.read_raw(index)


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in ('{"weight_map": 5}', '{"weight_map": {"a": 1}}', '{"weight_map": {}}', '{"weight_map": '):
        (tmp_path / "model.safetensors.index.json").write_text(content)
        with pytest.raises(UserError, match=r"index\.json"):
            raw_file.read_raw(tmp_path / "model.safetensors.index.json")
