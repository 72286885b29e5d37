"""Log lines on the console and in a file, and the progress line."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.retrieval_files import write_vectors
from mindzoo.utils import log
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import exit_status


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """What stands on it: a carriage return goes back to the start of the line, and what follows overwrites."""
        lines = []
        for written in self.getvalue().split("\n"):
            line = ""
            for part in written.split("\r"):
                line = part + line[len(part) :]
            lines.append(line.rstrip())
        return lines


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    log.stop()


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard output one; not in a fixture, since pytest puts its own in place after those."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_lines_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("%(levelname)s:%(message)s")
    log.logger.info("%d images", 3)
    assert capsys.readouterr() == ("INFO:3 images\n", "")


def test_lines_before_and_after_the_file_is_opened_land_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start("%(levelname)s:%(message)s")
    log.logger.info("before")
    log.open_file(tmp_path / "run.log")
    log.logger.info("after 日本")
    log.stop()
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "INFO:before\nINFO:after 日本\n"
    assert capsys.readouterr().out == "INFO:before\nINFO:after 日本\n"


def test_without_console_only_the_file_gets_the_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start(console=False)
    log.logger.info("before")
    log.open_file(tmp_path / "run.log")
    log.logger.info("after")
    log.stop()
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "before\nafter\n"
    assert capsys.readouterr() == ("", "")


def test_without_console_no_progress_is_written_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    progress = log.start(console=False)
    progress.show("step 1")
    assert terminal.getvalue() == ""


def test_starting_again_forgets_the_file_and_doubles_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    log.open_file(tmp_path / "first.log")
    log.logger.info("one")
    log.start()
    log.logger.info("two")
    log.stop()
    assert (tmp_path / "first.log").read_text(encoding="utf-8") == "one\n"
    assert capsys.readouterr().out == "one\ntwo\n"


def test_after_stop_nothing_holds_the_logger(tmp_path: Path) -> None:
    log.start()
    log.open_file(tmp_path / "run.log")
    log.stop()
    assert log.logger.handlers == []


def test_progress_is_rewritten_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    progress = log.start()
    progress.show("step 100 of 200")
    progress.show("step 9")
    assert terminal.screen() == ["step 9"]
    assert "\n" not in terminal.getvalue()


def test_a_bar_beside_a_pipe_is_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    progress = log.start(progress="bar")
    progress.show("step 100 of 200")
    log.logger.info("epoch 1")
    progress.show("step 101")
    out, error = capsys.readouterr()
    assert out == "epoch 1\n"
    assert [part.strip() for part in error.split("\r")] == ["", "step 100 of 200", "", "", "step 101"]


def test_a_line_takes_the_progress_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    progress = log.start()
    progress.show("step 100 of 200")
    log.logger.info("epoch 1")
    progress.show("step 101")
    assert terminal.screen() == ["epoch 1", "step 101"]


def test_progress_on_a_terminal_is_not_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_a_terminal(monkeypatch)
    progress = log.start()
    log.open_file(tmp_path / "run.log")
    progress.show("step 1")
    log.logger.info("epoch 1")
    log.stop()
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "epoch 1\n"


def test_clear_writes_nothing_where_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    progress = log.start()
    progress.clear()
    assert terminal.getvalue() == ""
    progress.show("step 1")
    progress.clear()
    assert terminal.screen() == [""]


def test_progress_is_made_of_lines_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = log.start()
    log.open_file(tmp_path / "run.log")
    progress.show("step 1 of 2, 50%")
    progress.show("step 2 of 2, 100%")
    log.stop()
    assert capsys.readouterr().out == "step 1 of 2, 50%\nstep 2 of 2, 100%\n"
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "step 1 of 2, 50%\nstep 2 of 2, 100%\n"


def test_progress_is_cut_to_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20")
    log.start().show("0123456789" * 3)
    assert terminal.screen() == ["0123456789012345678"]


def test_a_reader_that_is_gone_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of `mindzoo list | head -1`; without a word of logging's own."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        log.start()
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            log.logger.info("epoch 1")
        log.stop()
        with contextlib.suppress(BrokenPipeError):
            gone.close()


HOSTILE = "a\x1b[2J\nerror: b\u202egnp.\udce9"
SHOWN = r"a\x1b[2J\nerror: b\u202egnp.\xe9"


def test_a_name_cannot_move_the_cursor_end_a_line_or_turn_the_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    log.open_file(tmp_path / "run.log")
    log.logger.info("%s: %d", Path(HOSTILE), 3)
    log.logger.info("%s", UserError(HOSTILE))
    log.logger.info("two\nlines \x1b[31m")
    log.stop()
    wanted = f"{SHOWN}: 3\n{SHOWN}\ntwo\nlines \\x1b[31m\n"
    assert capsys.readouterr().out == wanted
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == wanted


def test_names_in_other_scripts_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    log.logger.info("%s", "猫 кошка قطة café 🐱\u200d\u3000ok")
    assert capsys.readouterr().out == "猫 кошка قطة café 🐱\u200d\u3000ok\n"


def test_progress_shows_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "99")
    log.start().show(HOSTILE)
    assert terminal.screen() == [SHOWN]


def test_an_error_is_one_line_whatever_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise UserError(f"{HOSTILE} has 2 faults:", "first", HOSTILE)

    assert exit_status(refuse) == 2
    assert capsys.readouterr().err == f"error: {SHOWN} has 2 faults:\n  first\n  {SHOWN}\n"


def test_a_full_disk_ends_the_file_and_not_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    log.open_file(Path("/dev/full"))
    log.logger.info("epoch 1")
    log.logger.info("epoch 2")
    log.stop()
    said = "cannot write /dev/full: No space left on device; further lines are not in it\n"
    assert capsys.readouterr() == (f"epoch 1\n{said}epoch 2\n", "")


@pytest.mark.parametrize(
    "console",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=" ".join,
)
def test_a_console_of_any_encoding_gets_every_line(tmp_path: Path, console: dict[str, str]) -> None:
    write_vectors(tmp_path / "猫.npy", np.eye(6))
    (tmp_path / "猫" / "train").mkdir(parents=True)
    (tmp_path / "猫" / "val").mkdir()
    commands: list[tuple[list[str | Path], tuple[str, str]]] = [
        ([ROOT, "evaluate-retrieval", "猫.npy", "--output", "猫.json"], ("wrote ", ".json")),
        ([ROOT / "scripts" / "prepare_digits.py", "猫"], ("", " is there already")),
    ]
    for words, said in commands:
        command: list[str | bytes] = [sys.executable, *(os.fsencode(word) for word in words)]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **console}, capture_output=True, check=True)
        # Where the name of a file cannot be read either, it is bytes.
        names = (r"\u732b", r"\xe7\x8c\xab", r"\udce7\udc8c\udcab")
        assert done.stdout.decode("ascii").splitlines()[-1] in [name.join(said) for name in names]
        assert done.stderr == b""
