"""Files of safetensors: read as the reference reads them, and refused where the header does not hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from safetensors.numpy import load_file, save_file

from mindzoo.tests.support.weight_files import safetensors, with_header
from mindzoo.utils.checkpoints import safetensors_file
from mindzoo.utils.checkpoints.safetensors_file import read_safetensors

KINDS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?"]


def test_files_of_the_reference_are_read_as_it_reads_them(tmp_path: Path) -> None:
    values = {kind: (np.arange(12).reshape(3, 4) % 2).astype(kind) for kind in KINDS}
    values |= {"scalar": np.array(2.5, np.float32), "größe": np.ones((2, 1, 3), np.float32)}
    save_file(values, str(tmp_path / "x.safetensors"), metadata={"format": "pt"})
    found = read_safetensors((tmp_path / "x.safetensors").read_bytes())
    wanted = load_file(str(tmp_path / "x.safetensors"))
    assert found.arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    assert not found.verified


def test_bfloat16_becomes_float32() -> None:
    values = np.array([1.5, -2, 3e38], np.float32)
    raw = (values.view("u4") >> 16).astype("u2").tobytes()
    header = {"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}
    found = read_safetensors(with_header(json.dumps(header).encode(), raw)).arrays["a"]
    np.testing.assert_array_equal(found, (values.view("u4") >> 16 << 16).view("f4"))


def test_the_checksum_that_mindspore_can_write_is_verified(tmp_path: Path) -> None:
    rows = [
        {"name": "b.weight", "data": Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))},
        {"name": "a.bias", "data": Tensor([1.5, 2], ms.float32)},
        {"name": "step", "data": Tensor([3], ms.int32)},
    ]
    path = tmp_path / "x.safetensors"
    ms.save_checkpoint(rows, str(path), format="safetensors", crc_check=True)
    content = path.read_bytes()
    assert read_safetensors(content).verified
    for at in range(len(content) - 30, len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 8
        with pytest.raises(ValueError, match="checksum"):
            read_safetensors(bytes(flipped))


def entry(**other: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **other}


def header(content: Any, numbers: bytes = bytes(8)) -> bytes:
    return with_header(content if isinstance(content, bytes) else json.dumps(content).encode(), numbers)


BAD = {
    "a header beyond the end": (b"\xff" * 7 + b"\x00" + b"{}", "length of its header"),
    "a header of 100 GB": ((10**11).to_bytes(8, "little") + b"{}", "length of its header"),
    "no header": (bytes(8), "length of its header"),
    "no JSON": (header(b"{not json"), "its header is not JSON"),
    "deep JSON": (header(b'{"a":' * 90_000 + b"1" + b"}" * 90_000), "its header nests more than"),
    "no UTF-8": (header(b'{"a\xff": 1}'), "its header"),
    "a name twice": (header(b'{"a": 1, "a": 1}'), 'holds the key "a" twice'),
    "a long number": (
        header(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,8]}}'),
        "5,000 characters",
    ),
    "NaN": (header(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}'), "NaN"),
    "no entry": (header({"a": 1}), "entry of a"),
    "an entry without a field": (header({"a": {"dtype": "F32", "shape": [2]}}), "entry of a"),
    "a field too much": (header({"a": entry(strides=[1])}), "entry of a"),
    "an unknown type": (header({"a": entry(dtype="F33")}), "type 'F33'"),
    "float8": (header({"a": entry(dtype="F8_E4M3")}), "type 'F8_E4M3'"),
    "a type of another kind": (header({"a": entry(dtype=["F32"])}), "type"),
    "a shape that is none": (header({"a": entry(shape=2)}), "no list of numbers"),
    "a shape of fractions": (header({"a": entry(shape=[2.0])}), "impossible"),
    "a shape of truth": (header({"a": entry(shape=[True, 2])}), "impossible"),
    "a negative shape": (header({"a": entry(shape=[-1, -2])}), "impossible"),
    "another shape": (header({"a": entry(shape=[3])}), "of a 8 bytes are there, and the shape (3,) needs 12"),
    "a huge shape": (header({"a": entry(shape=[1 << 40, 1 << 40])}), "needs"),
    "no place": (header({"a": entry(data_offsets=[])}), "no list of numbers"),
    "a place of fractions": (header({"a": entry(data_offsets=[0.0, 8.0])}), "no list of numbers"),
    "a place before the first": (header({"a": entry(data_offsets=[-8, 0])}), "lies at -8"),
    "a place behind the last": (header({"a": entry(data_offsets=[0, 1 << 40])}), "8 bytes are there"),
    "a place that ends before it begins": (header({"a": entry(data_offsets=[0, -8])}), "lies at 0 to -8"),
    "a gap": (header({"a": entry(data_offsets=[4, 12])}, bytes(12)), "lies at 4"),
    "one place twice": (header({"a": entry(), "b": entry()}), "lies at 0"),
    "something behind": (header({"a": entry()}, bytes(9)), "1 bytes are behind"),
    "facts that are no texts": (header({"__metadata__": {"a": {"b": 1}}, "a": entry()}), "not made of texts"),
    "facts that are none": (header({"__metadata__": ["a"], "a": entry()}), "not made of texts"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_the_format_forbids_is_refused(case: str) -> None:
    content, words = BAD[case]
    with pytest.raises(ValueError, match=re.escape(words)):
        read_safetensors(content)


def test_every_flipped_bit_of_the_header_is_refused_or_means_the_same() -> None:
    """But for names, which a checksum would have to keep."""
    good = safetensors({"a.b": np.arange(4, dtype=np.float32)})
    wanted = read_safetensors(good).arrays["a.b"]
    for bit in range(8 * (len(good) - wanted.nbytes)):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = read_safetensors(bytes(flipped)).arrays
        except ValueError:
            continue
        (value,) = found.values()
        assert value.dtype == wanted.dtype
        np.testing.assert_array_equal(value, wanted)


def test_too_many_tensors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_file, "MOST_ENTRIES", 3)
    with pytest.raises(ValueError, match="more than 3 tensors"):
        read_safetensors(safetensors({str(place): np.zeros(1, np.float32) for place in range(4)}))
    monkeypatch.setattr(safetensors_file, "MOST_HEADER", 50)
    with pytest.raises(ValueError, match="length of its header"):
        read_safetensors(safetensors({"a": np.zeros(1, np.float32)}))
