"""MindSpore's files: read as MindSpore reads them, and refused where a length or a shape does not hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.tests.support.weight_files import block, ckpt, number, sealed
from mindzoo.utils.checkpoints import ckpt_file
from mindzoo.utils.checkpoints.ckpt_file import read_ckpt

KINDS = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bool",
]


def assert_as_mindspore(path: Path) -> ckpt_file.CkptContent:
    found = read_ckpt(path.read_bytes())
    wanted = ms.load_checkpoint(str(path))
    assert {**found.arrays, **found.texts}.keys() == wanted.keys()
    for name, array in found.arrays.items():
        value = wanted[name].astype(ms.float32) if wanted[name].dtype == ms.bfloat16 else wanted[name]
        assert array.dtype == value.asnumpy().dtype, name
        np.testing.assert_array_equal(array, value.asnumpy(), err_msg=name)
        assert array.flags.writeable
    assert found.texts == {name: wanted[name] for name in found.texts}
    return found


@pytest.mark.parametrize("checked", [True, False])
def test_files_of_mindspore_are_read_as_mindspore_does(tmp_path: Path, checked: bool) -> None:
    values = np.arange(12).reshape(3, 4) % 2
    rows = [{"name": kind, "data": Tensor(values.astype(kind))} for kind in KINDS]
    rows += [
        {"name": "number", "data": Tensor(3, ms.int32)},
        {"name": "one", "data": Tensor([2.5], ms.float32)},
        {"name": "half", "data": Tensor([1.5, -2, 3e38], ms.bfloat16)},
        {"name": "größe.weight", "data": Tensor(np.ones((2, 1, 3), np.float32))},
    ]
    facts = {"text": "grün 红 \U0001f600", "count": 3, "share": 0.5, "flag": True}
    ms.save_checkpoint(rows, str(tmp_path / "x.ckpt"), append_dict=facts, crc_check=checked)
    found = assert_as_mindspore(tmp_path / "x.ckpt")
    assert found.verified == checked
    assert found.texts == {"text": facts["text"]}


def test_a_large_tensor_in_several_parts_is_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mindspore.train.serialization.SLICE_SIZE", 1)  # kilobytes
    values = np.random.default_rng(1).normal(size=(60, 30)).astype(np.float32)
    rows = [{"name": "a", "data": Tensor(values)}, {"name": "b", "data": Tensor(values.T.copy())}]
    ms.save_checkpoint(rows, str(tmp_path / "x.ckpt"), crc_check=True)
    assert (tmp_path / "x.ckpt").read_bytes().count(b"Float32") > 10
    assert_as_mindspore(tmp_path / "x.ckpt")


def test_the_writer_of_the_tests_writes_as_mindspore(tmp_path: Path) -> None:
    values = {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.int32(7)}
    ms.save_checkpoint(
        [{"name": name, "data": Tensor(value)} for name, value in values.items()],
        str(tmp_path / "x.ckpt"),
        append_dict={"t": "grün"},
        crc_check=True,
    )
    assert ckpt(values, {"t": "grün"}) == (tmp_path / "x.ckpt").read_bytes()


def value(dims: Any, kind: bytes = b"Float32", content: bytes = bytes(16), name: bytes = b"a", **more: bytes) -> bytes:
    """A value of the message, with the dims as they are, or as bytes in one field."""
    written = dims if isinstance(dims, bytes) else b"".join(b"\x08" + number(side) for side in dims)
    tensor = written + block(2, kind) + block(3, content) + more.get("tensor", b"")
    return block(1, block(1, name) + block(2, tensor) + more.get("value", b""))


def test_dims_may_be_packed_and_a_scalar_may_have_one_of_no_length() -> None:
    assert read_ckpt(value(block(1, b"\2\2"))).arrays["a"].shape == (2, 2)
    assert read_ckpt(value((0,), content=bytes(4))).arrays["a"].shape == ()
    assert read_ckpt(value((0,), content=b"")).arrays["a"].shape == (0,)


BAD = {
    "more numbers than bytes": (value((3, 2)), "of a 16 bytes are there, and the shape (3, 2) needs 24"),
    "fewer numbers than bytes": (value((2,)), "needs 8"),
    "a huge dimension": (value((1 << 40, 1 << 20)), "needs"),
    "a negative dimension": (value((-2, -2)), "impossible"),
    "no numbers in many": (value((1 << 60, 0), content=b""), "of no numbers"),
    "many dimensions": (value((1,) * 40, content=bytes(4)), "impossible"),
    "no scalar": (value((), content=bytes(8)), "needs 4"),
    "an unknown type": (value((4,), b"Float3"), "of the type 'Float3'"),
    "Int4": (value((4,), b"Int4"), "of the type 'Int4'"),
    "a type that is no text": (value((4,), b"\xff\xfe"), "ascii"),
    "a name that is no text": (value((4,), name=b"\xff"), "utf-8"),
    "the same name twice": (value((4,)) + value((4,), name=b"b") + value((4,)), "a is there twice"),
    "parts of two shapes": (value((8,)) + value((4, 2)), "parts of a"),
    "a part too much": (value((8,)) * 3, "needs 32"),
    "two contents": (value((4,), tensor=block(3, bytes(16))), "2 times a content"),
    "no tensor": (block(1, block(1, b"a")), "0 times a tensor"),
    "a map": (block(1, block(1, b"a") + block(3, b"")), "a map of keys"),
    "an unknown field": (value((4,), value=block(9, b"x")), "field 9"),
    "a field of another kind": (b"\x08\x01", "field 1 of kind 0"),
    "a group": (b"\x0b\x0c", "kind 3"),
    "a length beyond the end": (b"\x0a\x7f" + bytes(20), "127 bytes are to follow, and 20 are left"),
    "a huge length": (b"\x0a" + number(1 << 63) + bytes(20), "are to follow"),
    "a number without end": (b"\x0a" + b"\xff" * 30, "no end"),
    "a number of 70 bits": (b"\x0a" + b"\xff" * 9 + b"\x7f" + bytes(20), "no end"),
    "text that is none": (block(1, block(1, b"t") + block(2, b"\x08\0" + block(2, b"str") + block(3, b"abc"))), "of t"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("checked", [True, False])
def test_what_is_no_message_of_mindspore_is_refused(case: str, checked: bool) -> None:
    """With a right checksum too: whoever makes such a file can compute one."""
    message, words = BAD[case]
    with pytest.raises(ValueError, match=re.escape(words)):
        read_ckpt(sealed(message) if checked else message)


def test_a_checksum_of_another_content_is_refused() -> None:
    good = sealed(value((4,)))
    read_ckpt(good)
    for at in range(len(good)):
        flipped = bytearray(good)
        flipped[at] ^= 4
        with pytest.raises(ValueError, match=r"[a-z]"):
            read_ckpt(bytes(flipped))


def test_too_many_tensors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ckpt_file, "MOST_ENTRIES", 3)
    with pytest.raises(ValueError, match="more than 3 tensors"):
        read_ckpt(b"".join(value((4,), name=b"%d" % place) for place in range(4)))
