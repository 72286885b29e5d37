"""What every command that writes a file does with a place that cannot be written to: it says so, and leaves nothing."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import run, save_tiny_checkpoint, write_vectors
from mindzoo.tests.support.trainings import COLORS, write_images

# The words of a command, with the place it writes to as OUTPUT, and the suffix of that.
TABLE: dict[str, tuple[list[str], str]] = {
    "predict": (["densenet121", "val/red/000.png", "--output", "OUTPUT"], ".csv"),
    "embed": (["densenet121", "--images", "val", "--output", "OUTPUT"], ".npy"),
    "query": (["densenet121", "val/red/000.png", "--index", "index", "--html", "OUTPUT"], ".html"),
    "fit-exponent": (["multigrain", "--data_dir", "val", "--output", "OUTPUT"], ".json"),
    "export": (["densenet121", "--file_name", "OUTPUT"], ".mindir"),
    "eval": (["densenet121", "--data_dir", "val", "--is_distributed", "0", "--output_dir", "OUTPUT"], ""),
    "convert": (["t.ckpt", "OUTPUT", "--overwrite"], ".ckpt"),
    "average": (["t.ckpt", "u.ckpt", "--overwrite", "--output", "OUTPUT"], ".ckpt"),
    "whiten": (["v.npy", "--output", "OUTPUT"], ".npz"),
    "index": (["v.npy", "--output", "OUTPUT"], ""),
    "evaluate-retrieval": (["v.npy", "--output", "OUTPUT"], ".json"),
}
OF_A_CHECKPOINT = ("predict", "embed", "query", "fit-exponent", "export", "eval")
# A limit on what a file may hold acts as a disk that is full: the first bytes fit, or not even these.
NOTHING_FITS, LITTLE_FITS = 100, 4096


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs")
    for name, color in COLORS.items():
        write_images(root / "val" / name, color, 1)
    save_tiny_checkpoint(root / "t.ckpt")
    save_tiny_checkpoint(root / "u.ckpt", seed=2)
    write_vectors(root / "v.npy", np.random.default_rng(1).standard_normal((120, 16)))
    return root


@pytest.fixture
def place(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder below the current one, in which the inputs are."""
    for path in inputs.iterdir():
        Path(path.name).symlink_to(path)
    Path("place").mkdir()
    return Path("place")


@contextmanager
def files_hold(most: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def start(command: str, output: Any) -> int:
    words, _ = TABLE[command]
    checkpoint = ["--checkpoint", "t.ckpt", "--device_target", "CPU"] if command in OF_A_CHECKPOINT else []
    return run(command, *(output if word == "OUTPUT" else word for word in words), *checkpoint)


def assert_refused(status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    captured = capsys.readouterr()
    assert (status, captured.err.count("\n")) == (2, 1), captured.err
    assert said in captured.err
    assert "compiling" not in captured.out


@pytest.mark.parametrize("command", TABLE)
def test_a_place_that_cannot_be_written_to_is_said_before_the_work_begins(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix = TABLE[command][1]
    with files_hold(NOTHING_FITS):
        assert_refused(start(command, place / f"x{suffix}"), "File too large", capsys)
    assert_refused(start(command, f"/proc/x{suffix}"), "/proc/x", capsys)
    assert_refused(start(command, f"t.ckpt/x{suffix}"), "t.ckpt/x", capsys)
    (place / f"folder{suffix}").mkdir()
    if suffix:
        assert_refused(start(command, place / f"folder{suffix}"), "is a folder", capsys)
    assert [path.name for path in place.rglob("*")] == [f"folder{suffix}"]


@pytest.mark.parametrize("command", ["export", "convert", "index", "evaluate-retrieval"])
def test_a_disk_that_gets_full_leaves_what_was_there_and_nothing_new(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = place / f"x{TABLE[command][1]}"
    if command != "index":
        output.write_text("mine")
    with files_hold(LITTLE_FITS):
        status = start(command, output)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.splitlines()[-1].startswith("error: cannot write ")
    assert [path.read_text() for path in place.rglob("*")] == ["mine"] * (command != "index")


def test_a_name_that_is_not_utf8_is_written_and_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("whiten", "index", "evaluate-retrieval"):
        output = place / f"{command}-caf\udce9{TABLE[command][1]}"
        assert start(command, output) == 0
        assert rf"place/{command}-caf\xe9" in capsys.readouterr().out
        assert os.path.lexists(output)


@pytest.mark.parametrize(
    ("command", "name", "said"),
    [
        ("export", "o.onnx", "and file_format is MINDIR; give --file_format ONNX, or a name that ends in .mindir"),
        ("whiten", "w.npy", "wanted a name that ends in .npz"),
    ],
)
def test_a_suffix_of_something_else_is_refused(
    command: str, name: str, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(start(command, place / name), said, capsys)
    assert list(place.iterdir()) == []


def test_a_hostile_name_in_a_folder_is_an_escape_on_the_console_and_in_the_page(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(place, COLORS["red"], 1)
    (place / "000.png").rename(place / "a\x1b[2J\nb.png")
    (place / "c\x1b[2J\nd.png").write_bytes(b"no image")
    common = ["densenet121", "--checkpoint", "t.ckpt", "--device_target", "CPU"]
    assert run("predict", *common, place, "--output", "rows.csv") == 1
    assert run("embed", *common, "--images", place, "--output", "hostile.npy") == 1
    assert run("index", "hostile.npy", "--output", "hostile") == 0
    assert run("query", *common, place, "--index", "hostile", "--html", "page.html") == 1
    shown, page = capsys.readouterr(), Path("page.html").read_text(encoding="utf-8")
    for text in (shown.out, page):
        assert r"a\x1b[2J\nb.png" in text
        assert "\x1b" not in text
    assert r"c\x1b[2J\nd.png" in shown.out
    assert shown.err == ""
