"""PyTorch's files that are damaged, cut short or made to do harm: refused in words, and nothing in them runs."""

from __future__ import annotations

import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.torch_files import (
    GRID,
    STUBS,
    WEIGHTS,
    WRITERS,
    Made,
    Storage,
    Writer,
    assert_same,
    pickled,
    refusal,
    repack,
    rewrite,
    storage,
    tensor,
    view,
    weights,
    write_legacy,
    write_zip,
)
from mindzoo.utils.checkpoints import torch_file
from mindzoo.utils.errors import UserError


class Harm:
    """Unpickling it with Python's own unpickler calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


def harmful(sentinel: Path) -> Iterator[tuple[str, bytes]]:
    """Names of what is to be refused, and pickles that make the file `sentinel` or would do worse."""
    touch = f"touch {sentinel}"
    yield "posix.system", pickled({"w": Harm(__import__("os").system, touch)})[0]
    yield "os.system", f"\x80\x02cos\nsystem\n(S'{touch}'\ntR.".encode("latin-1")
    yield "os.system", f"\x80\x02(S'{touch}'\nios\nsystem\n.".encode("latin-1")
    yield "builtins.eval", pickled(Harm(eval, f"open({str(sentinel)!r}, 'w')"), 4)[0]
    yield "__builtin__.exec", pickled(Harm(exec, f"open({str(sentinel)!r}, 'w')"))[0]
    yield "subprocess.Popen", pickled(Harm(subprocess.Popen, ["touch", str(sentinel)]), 4)[0]
    yield "builtins.getattr", b"\x80\x04cbuiltins\ngetattr\ncbuiltins\n__import__\n\x8c\x02os\x85R\x8c\x06system\x86R."
    yield "torch.load", pickled({"w": Harm(STUBS["torch", "load"], str(sentinel))})[0]
    yield "torch.nn.modules.Linear", pickled({"w": STUBS["torch.nn.modules", "Linear"]()})[0]
    yield "collections.OrderedDict.__init__", b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93."
    yield "torch._utils.__builtins__", b"\x80\x02ctorch._utils\n__builtins__\n."
    yield "EXT1", b"\x80\x02\x82\x01."
    yield "PERSID", b"\x80\x02Pstorage\n."


@pytest.mark.parametrize("number", range(13))
@pytest.mark.parametrize("writer", WRITERS)
def test_harmful_pickles_are_refused_by_name(tmp_path: Path, writer: Writer, number: int) -> None:
    sentinel = tmp_path / "sentinel"
    name, data = list(harmful(sentinel))[number]
    message = refusal(writer(tmp_path / "w.pth", data))
    assert name in message or f"INST {name.replace('.', ' ')}" in message
    assert not sentinel.exists()


def test_harm_beside_good_weights_is_refused(tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    content = {"state_dict": weights(), "args": Harm(__import__("os").system, f"touch {sentinel}")}
    assert "posix.system" in refusal(write_zip(tmp_path / "w.pth", content))
    assert not sentinel.exists()


NESTED = 25_000
ATTACKS = {
    "lists": b"]" * NESTED + b"a" * (NESTED - 1) + b".",
    "tuples": b")" + b"\x85" * NESTED + b".",
    "a tuple as key": b"})" + b"\x85" * NESTED + b"Ns.",
    "a tuple as name": b")" + b"\x85" * NESTED + b"U\x01x\x93.",
    "a tuple to call": b")" + b"\x85" * NESTED + b")R.",
    "a tuple as storage": b"(U\x07storage)" + b"\x85" * NESTED + b"U\x010U\x03cpuK\x01tQ.",
    "a tree as name": b")" + b"q\x00h\x00\x86" * 90 + b"U\x01x\x93.",
    "marks": b"(" * NESTED + b".",
    "a huge text": b"\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
    "huge bytes": b"\x8e" + struct.pack("<Q", (1 << 63) - 1) + b"x.",
    "a huge frame": b"\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "a huge number": b"\x8b" + struct.pack("<i", (1 << 31) - 1) + b"1.",
    "a huge place in the memo": b"Nr" + struct.pack("<I", (1 << 32) - 1) + b".",
    "nothing on the stack": b"0.",
    "no mark": b"t.",
    "a dict in itself": b"}q\x00U\x05modelh\x00s.",
    "a list in itself": b"]q\x00h\x00a.",
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_pickles_that_exhaust(tmp_path: Path, writer: Writer, attack: str) -> None:
    refusal(writer(tmp_path / "w.pth", b"\x80\x04" + ATTACKS[attack]))


def test_pickles_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "MOST_STEPS", 1000)
    assert "1000 steps" in refusal(write_zip(tmp_path / "w.pth", b"\x80\x02" + b"]" * 1001 + b"."))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (13,), (1,)),
        (12, (1,), (1,)),
        (0, (2,), (12,)),
        (0, (2,), (1 << 61,)),
        (0, (2,), (1 << 70,)),
        (1 << 61, (1,), (1,)),
        (0, (1 << 40,), (0,)),
        (0, (1 << 20, 1 << 20, 1 << 20), (0, 0, 0)),
        (0, (0, 1 << 61, 1 << 61), (1, 1, 1)),
        (0, (2, 2), (1,)),
        (0, (2.0,), (1,)),
        (0, (True,), (1,)),
        (0, 3, 1),
        (0, "abc", "abc"),
        (0, (1,) * 70, (1,) * 70),
    ],
)
def test_impossible_tensors(tmp_path: Path, offset: int, size: Any, stride: Any) -> None:
    for writer in WRITERS:
        refusal(writer(tmp_path / "w.pth", {"w": view(storage(GRID), offset, size, stride)}))


def test_storages_of_another_size_than_described(tmp_path: Path) -> None:
    for count in (-1, 11, 13, 1 << 61, 1 << 80):
        of = storage(GRID, length=count)
        refusal(write_zip(tmp_path / "w.pth", {"w": view(of, 0, (1,), (1,))}))
    short = storage(GRID, length=13)  # its last number is not in the file
    refusal(write_legacy(tmp_path / "w.pth", {"w": view(short, 0, (4,), (1,))}))


def test_one_storage_of_two_types(tmp_path: Path) -> None:
    content = {"a": tensor(GRID, "0"), "b": tensor(GRID.astype("i4"), "0")}
    assert "two ways" in refusal(write_zip(tmp_path / "w.pth", content))


def test_a_tensor_without_storage(tmp_path: Path) -> None:
    refusal(write_zip(tmp_path / "w.pth", {"w": view(("0", "f4", 3), 0, (1,), (1,))}))  # type: ignore[arg-type]


def test_conjugated_tensors(tmp_path: Path) -> None:
    function = STUBS["torch._utils", "_rebuild_tensor_v2"]
    made = Made(function, storage(GRID), 0, (3, 4), (4, 1), False, None, {"neg": True})
    assert "negated" in refusal(write_zip(tmp_path / "w.pth", {"w": made}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_torch_does_not_write(tmp_path: Path) -> None:
    def changed(change: Callable[[str, bytes], list[tuple[str, bytes, int]]]) -> str:
        path = write_zip(tmp_path / "w.pth", weights())
        return refusal(repack(path, lambda name, content: iter(change(name, content))))

    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    assert "twice" in changed(lambda name, content: [(name, content, stored)] * 2)
    assert "twice" in changed(lambda name, content: [(name, content, stored), (f"b{name}", content, stored)])
    assert "compressed" in changed(lambda name, content: [(name, content, deflated)])
    bomb = bytes(50 << 20)
    assert "compressed" in changed(lambda name, _: [(name, bomb if "data/0" in name else _, deflated)])
    assert "data/1" in changed(lambda name, content: [] if name.endswith("data/1") else [(name, content, stored)])
    assert "did not write" in changed(lambda name, content: [(name.replace("data.pkl", "x"), content, stored)])


def test_members_that_overlap(tmp_path: Path) -> None:
    """Two entries of the directory that point to the same megabyte, each of them with its right checksum."""
    size = 1 << 20
    of = [Storage(str(number), "ByteStorage", bytes(size), size) for number in range(2)]
    path = write_zip(tmp_path / "w.pth", {s.key: view(s, 0, (size,), (1,)) for s in of})
    assert len(torch_file.read_torch_file(path).arrays) == 2
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("archive/data/0").header_offset
        end = archive.getinfo("archive/data/1").header_offset
        start = archive.start_dir
    data = path.read_bytes()
    directory = data[start:].replace(
        struct.pack("<I", end) + b"archive/data/1", struct.pack("<I", place) + b"archive/data/1"
    )
    short = data[:end] + directory
    assert "said to have" in refusal(rewrite(path, short[:-6] + struct.pack("<IH", end, 0)))


def read_or_refuse(path: Path, data: bytes, wanted: dict[str, Any]) -> bool:
    """Whether `data` is refused; otherwise it must give what is wanted."""
    path.write_bytes(data)
    try:
        found = torch_file.read_torch_file(path).arrays
    except UserError:
        return True
    assert_same(found, wanted)
    return False


@pytest.mark.parametrize("writer", WRITERS)
def test_truncated_files(tmp_path: Path, writer: Writer) -> None:
    data = writer(tmp_path / "w.pth", weights()).read_bytes()
    cuts = range(0, len(data), 3)
    refused = [read_or_refuse(tmp_path / "cut.pth", data[:cut], WEIGHTS) for cut in cuts]
    assert all(refused)
    assert read_or_refuse(tmp_path / "cut.pth", data[:-1], WEIGHTS)


def test_flipped_bits_in_an_archive(tmp_path: Path) -> None:
    data = write_zip(tmp_path / "w.pth", weights()).read_bytes()
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        refused = read_or_refuse(tmp_path / "flipped.pth", bytes(flipped), WEIGHTS)
        in_numbers = any(
            data.find(value.tobytes()) <= position < data.find(value.tobytes()) + value.nbytes
            for value in WEIGHTS.values()
        )
        assert refused or not in_numbers


def test_flipped_bits_in_the_legacy_format_end_in_words(tmp_path: Path) -> None:
    data = write_legacy(tmp_path / "w.pth", weights()).read_bytes()
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        try:
            torch_file.read_torch_file(rewrite(tmp_path / "flipped.pth", bytes(flipped)))
        except UserError as error:
            assert "flipped.pth" in str(error)  # noqa: PT017 - without a checksum it may be read as well
