"""Long work: its line, how it is shown on a terminal, in a log, in a notebook and for programs, and who says it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo import cli
from mindzoo.tests.support.retrieval_files import write_vectors
from mindzoo.utils import log, progress
from mindzoo.utils.progress import work as timing
from mindzoo.utils.progress.work import Work, duration

COMMANDS: list[tuple[list[str], list[str]]] = [
    (["index", "vectors.npy", "--output", "INDEX"], ["prepare vectors"]),
    (["whiten", "vectors.npy", "--output", "whitening.npz", "--dimension", "2"], ["whiten"]),
    (["evaluate-retrieval", "vectors.npy"], ["prepare vectors", "evaluate-retrieval"]),
]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    log.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


@pytest.fixture
def vectors() -> Path:
    """Sixty vectors of four numbers, in the current folder."""
    return write_vectors(Path("vectors.npy"), np.random.default_rng(0).normal(size=(60, 4)))


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command that succeeds writes to standard output where that is a terminal."""
    leader, follower = pty.openpty()
    monkeypatch.setattr(timing, "IN_PLACE", 0.0)
    with os.fdopen(follower, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(list(words)) == 0
        stream.flush()
        os.set_blocking(leader, False)
        shown = os.read(leader, 1 << 16).decode()
        monkeypatch.undo()
    os.close(leader)
    return shown


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_line_says_how_much_how_fast_and_how_long(clock: Clock) -> None:
    work = Work("embed", 1200, "images", done=200)
    assert work.line() == "embed: 200 of 1,200 images"
    clock.now += 10
    work.advance(100)
    assert work.line() == "embed: 300 of 1,200 images, 10.0 images/s, 0:01:30 left"
    unknown = Work("copy", None, "bytes")
    clock.now += 2
    unknown.advance(5_000_000)
    assert unknown.line() == "copy: 5.0 MB, 2.5 MB/s"
    assert unknown.facts() == {
        "what": "copy", "done": 5_000_000, "total": None, "unit": "bytes", "rate": 2.5e6, "seconds_left": None,
        "seconds": 2.0,
    }  # fmt: skip


def test_the_rate_is_that_of_the_last_seconds(clock: Clock) -> None:
    """The first batch took a minute, since a graph was compiled."""
    work = Work("embed", 10_000, "images")
    clock.now += 60
    for _ in range(40):
        work.advance(8)
        clock.now += 1
    assert work.rate == pytest.approx(8, abs=0.5)


def test_in_a_log_there_is_a_line_every_half_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    for lines in (True, False):
        with progress.of("pack train", 100, "images", lines=lines) as work:
            for _ in range(100):
                clock.now += 1
                work.advance()
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"pack train: {done} of 100 images, 1.0 images/s, 0:{left} left"
        for done, left in ((30, "01:10"), (60, "00:40"), (90, "00:10"))
    ]


def test_a_terminal_has_one_line_that_goes_at_the_end(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Path("INDEX").absolute()
    shown = on_a_terminal(monkeypatch, "index", str(vectors.absolute()), "--output", str(target))
    assert "\rprepare vectors: 60 of 60 vectors, " in shown
    drawn = [text for text in re.split("[\r\n]+", shown) if text.strip()]
    assert drawn[-1].startswith(f"wrote {target}: kind exact, 60 vectors")
    assert shown.count("\n") == 1  # of the result: what moves leaves no line


@pytest.mark.parametrize("how", ["off", "lines", "json"])
def test_no_line_moves_where_it_is_not_wanted(vectors: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    words = ["index", str(vectors.absolute()), "--output", str(Path("INDEX").absolute()), "--progress", how]
    assert on_a_terminal(monkeypatch, *words).startswith("wrote ")


def test_a_notebook_has_one_line_though_it_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stdout", stream)
    log.start().show("step 1 of 9")
    log.logger.info("done")
    assert stream.getvalue() == "\rstep 1 of 9\r           \rdone\n"


@pytest.mark.parametrize(("words", "wanted"), COMMANDS, ids=lambda value: value[0])
def test_programs_get_an_object_a_line(
    vectors: Path, words: list[str], wanted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--progress", "json"]) == 0
    told = objects(capsys.readouterr().err)
    assert [found["what"] for found in told if found["done"] == 0] == wanted
    ends = [found for found in told if found["done"] == found["total"]]
    assert [found["what"] for found in ends] == wanted
    assert all(found["seconds_left"] == 0 and found["rate"] > 0 for found in ends)


def test_data_commands_tell_programs_too(colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = Path("packed").absolute()
    for words in (
        ["check-data", str(colors)],
        ["pack", str(colors / "val"), str(packed)],
        ["pack", "--verify", str(packed)],
    ):
        assert cli.main([*words, "--progress", "json", "--quiet"]) == 0
    said = capsys.readouterr()
    ends = [(found["what"], found["total"]) for found in objects(said.err) if found["done"] == found["total"]]
    assert ends == [("check-data", 49), ("pack val", 13), ("verify packed", 3)]
    assert f"wrote {packed}" in said.out


def test_what_cannot_say_how_far_it_is_has_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mindzoo.utils.progress.seconds.SECONDS_BETWEEN", 0.01)
    log.start(progress="json")
    with progress.ticking("compiling it"):
        time.sleep(0.1)
    told = objects(capsys.readouterr().err)
    assert len(told) > 3
    assert {(found["what"], found["total"]) for found in told} == {("compiling it", 1)}
    assert [found["done"] for found in told[:-1]] == [0] * (len(told) - 1)
    assert told[-1]["done"] == 1
    assert told[-1]["seconds"] >= 0.1


def test_work_that_failed_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    log.start(progress="json")
    with pytest.raises(ZeroDivisionError):
        next(number / 0 for number in progress.each([1, 2], "divide", 2, "numbers"))
    assert [found["done"] for found in objects(capsys.readouterr().err)] == [0, 0]


def test_of_several_ranks_the_first_one_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        log.start(progress="json")
        log.leave_progress_to_the_first(rank)
        with progress.of(f"embed {rank}", 2, "images") as work:
            work.advance(2)
    assert {found["what"] for found in objects(capsys.readouterr().err)} == {"embed 0"}


def test_a_reader_of_progress_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        log.start(progress="json")
        with progress.of("embed", 2, "images") as work:
            work.advance(2)
        assert not work.is_shown
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            gone.close()


def test_quiet_leaves_out_how_the_work_goes_but_not_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = log.start(quiet=True)
    log.open_file(tmp_path / "run.log")
    shown.show("step 1 of 2")
    log.aside("computing on %s", "CPU")
    log.logger.info("top-1 %.1f", 75.1)
    log.logger.warning("3 images are left out")
    log.stop()
    assert capsys.readouterr().out == "top-1 75.1\n3 images are left out\n"
    assert (tmp_path / "run.log").read_text() == "computing on CPU\ntop-1 75.1\n3 images are left out\n"


def test_it_is_no_part_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    from mindzoo.models.densenet121 import SPEC
    from mindzoo.utils.commands.command import read_words
    from mindzoo.utils.commands.of_networks import TRAIN

    Path("recipe.yaml").write_text("quiet: true\nlr: 0.2")
    loaded, said = read_words(TRAIN, SPEC, ["--config_path", "recipe.yaml", "--progress", "bar"], "train")
    assert type(loaded.config) is SPEC.train_config
    assert loaded.config.lr == 0.2
    assert loaded.given == {"config_path", "lr"}
    assert (said.quiet, said.progress) == (True, "bar")


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00:00"), (59.6, "0:01:00"), (3723, "1:02:03")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
