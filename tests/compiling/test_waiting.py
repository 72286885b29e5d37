"""The line that moves while something compiles."""

from __future__ import annotations

import io
import time

import pytest

from mindzoo.utils import log
from mindzoo.utils.compiling import waiting
from mindzoo.utils.progress import seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail_once_shown(terminal: Terminal) -> None:
    with waiting.moving("compiling it"):
        while "\rcompiling it ... 0 s" not in terminal.getvalue():
            time.sleep(0.01)
        raise ZeroDivisionError


def test_elsewhere_there_are_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    with waiting.moving("compiling it") as wait:
        wait.outcome = "taken in"
        time.sleep(0.1)
    log.stop()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "compiling it ..."
    assert second == "taken in 0.1 s"


def test_a_terminal_shows_the_seconds_and_the_line_goes_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr(seconds, "SECONDS_BETWEEN", 0.01)
    log.start()
    with pytest.raises(ZeroDivisionError):
        fail_once_shown(terminal)
    log.stop()
    assert terminal.getvalue().endswith("\r" + " " * len("compiling it ... 0 s") + "\r")
    assert "compiled in" not in terminal.getvalue()
