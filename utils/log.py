"""What a run says: log lines on the console and in a file, and a progress line that is updated in place.

One logger for the package. Lines that are logged before the log file is opened are kept and written to it too.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import shutil
import sys
from pathlib import Path
from typing import TextIO

logger = logging.getLogger("mindzoo")


class ProgressDisplay:
    """A line that is rewritten in place on a terminal; elsewhere each text becomes a log line."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._shown = 0

    @property
    def in_place(self) -> bool:
        """Whether the stream is a terminal."""
        return self.stream.isatty()

    def show(self, text: str) -> None:
        """Replace the line by `text`, cut to the terminal's width, or log it where the stream is no terminal."""
        if not self.in_place:
            logger.info(text)
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        self.stream.write("\r" + text.ljust(self._shown))
        self.stream.flush()
        self._shown = len(text)

    def clear(self) -> None:
        """Take the line away, so that something else can be written in its place."""
        if self._shown:
            self.stream.write("\r" + " " * self._shown + "\r")
            self.stream.flush()
            self._shown = 0


class _ConsoleHandler(logging.StreamHandler):
    """Writes to standard output, and takes the progress line away first."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A console of any encoding gets every line: what it cannot show as an escape.
            sys.stdout.reconfigure(errors="backslashreplace")
        super().__init__(sys.stdout)
        self.progress = ProgressDisplay(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.progress.clear()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Let a reader that is gone, as that of `| head`, end the command; see `exit_status`."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            raise
        super().handleError(record)


def start(line_format: str = "%(message)s", *, console: bool = True) -> ProgressDisplay:
    """Set up the logger afresh: `line_format` is logging's; without `console` only the file gets the lines."""
    stop()
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = _ConsoleHandler()
    progress = handler.progress if console else ProgressDisplay(io.StringIO())
    formatter = logging.Formatter(line_format)
    handler.setFormatter(formatter)
    if console:
        logger.addHandler(handler)
    waiting = logging.handlers.MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    waiting.setFormatter(formatter)
    logger.addHandler(waiting)
    return progress


def open_file(path: Path) -> None:
    """Write all lines to the file `path` too, also those logged since `start`."""
    handler = logging.FileHandler(path, encoding="utf-8")
    for waiting in [h for h in logger.handlers if isinstance(h, logging.handlers.MemoryHandler)]:
        handler.setFormatter(waiting.formatter)
        waiting.setTarget(handler)
        waiting.flush()
        logger.removeHandler(waiting)
    logger.addHandler(handler)


def stop() -> None:
    """Close the file and forget the handlers."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
