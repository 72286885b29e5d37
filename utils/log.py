"""What a run says: log lines on the console and in a file, and a progress line that is updated in place.

One logger for the package. Lines that are logged before the log file is opened are kept and written to it too. What
the arguments of a line hold, such as the name of a file, cannot end the line or move the cursor of a terminal.
"""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from mindzoo.utils.errors import visible


def _harmless(record: logging.LogRecord) -> bool:
    """Escape what a terminal would obey: in the arguments all of it, in our own words all but the ends of lines."""
    record.msg = "\n".join(visible(line) for line in str(record.msg).split("\n"))
    if isinstance(record.args, tuple):
        foreign = (str, os.PathLike, Exception)
        record.args = tuple(visible(value) if isinstance(value, foreign) else value for value in record.args)
    return True


logger = logging.getLogger("mindzoo")
logger.addFilter(_harmless)
ASIDE = "aside"  # what a record has that `--quiet` leaves out


def aside(text: str, *arguments: object) -> None:
    """Log how the work goes, which is none of its results: `--quiet` leaves it out on the console."""
    logger.info(text, *arguments, extra={ASIDE: True})


@contextlib.contextmanager
def unsaid() -> Iterator[None]:
    """Log errors only in the block: the rest of what is found there is found again later, and said then."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


class ProgressDisplay:
    """How far the work is: a line that is rewritten in place, or lines of the log, or JSON, or nothing.

    Args:
        how: "bar", "lines", "json" or "off"; "auto" is a bar on a terminal and in a notebook, else lines.
    """

    def __init__(self, stream: TextIO, how: str = "auto") -> None:
        self.stream, self.how = stream, how
        self.of_first = True  # see `leave_progress_to_the_first`
        self.lock = threading.RLock()  # a line of the log and one that moves may come from two threads
        self._shown = 0

    @property
    def in_place(self) -> bool:
        """Whether there is one line that is rewritten."""
        if self.how != "auto" or self.stream.closed:
            return self.how == "bar" and not self.stream.closed
        return self.stream.isatty() or _is_notebook(self.stream)

    def show(self, text: str) -> None:
        """Replace the line by `text`, cut to the terminal's width, or log it where no line is rewritten."""
        if self.how in ("json", "off"):
            return
        if not self.in_place:
            logger.info(text)
            return
        text = visible(text)[: shutil.get_terminal_size().columns - 1]
        with self.lock:
            self.stream.write("\r" + text.ljust(self._shown))
            self.stream.flush()
            self._shown = len(text)

    def clear(self) -> None:
        """Take the line away, so that something else can be written in its place."""
        with self.lock:
            if self._shown:
                self.stream.write("\r" + " " * self._shown + "\r")
                self.stream.flush()
                self._shown = 0


def _is_notebook(stream: TextIO) -> bool:
    """Whether Jupyter's kernel shows what is written: it says that it is no terminal, and obeys carriage returns."""
    return type(stream).__module__.partition(".")[0] == "ipykernel"


class _ConsoleHandler(logging.StreamHandler):
    """Writes to standard output, and takes the progress line away first.

    What is no terminal, a pipe or a file, gets no line that moves: one that is asked for goes to standard error.
    """

    def __init__(self, how: str) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A console of any encoding gets every line: what it cannot show as an escape.
            sys.stdout.reconfigure(errors="backslashreplace")
        super().__init__(sys.stdout)
        is_seen = sys.stdout.isatty() or _is_notebook(sys.stdout)
        self.progress = ProgressDisplay(sys.stdout if is_seen or how != "bar" else sys.stderr, how)

    def emit(self, record: logging.LogRecord) -> None:
        with self.progress.lock:
            self.progress.clear()
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Let a reader that is gone, as that of `| head`, end the command; see `exit_status`."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            raise
        super().handleError(record)


class _FileHandler(logging.FileHandler):
    """Writes to a file, as long as there is room for it: a full disk ends the log and not the run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        logger.warning("cannot write %s: %s; further lines are not in it", self.baseFilename, error.strerror)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written above cannot be written now
            super().close()


def start(
    line_format: str = "%(message)s", *, console: bool = True, quiet: bool = False, progress: str = "auto"
) -> ProgressDisplay:
    """Set up the logger afresh.

    Args:
        line_format: logging's.
        console: False: only the file gets the lines.
        quiet: leave out on the console what is no result, and, unless `progress` is given, how far the work is.
        progress: see `ProgressDisplay`.
    """
    stop()
    logger.setLevel(logging.INFO)
    logger.propagate = False
    how = "off" if quiet and progress == "auto" else progress
    handler = _ConsoleHandler(how)
    if quiet:
        handler.addFilter(lambda record: not hasattr(record, ASIDE))
    shown = (
        handler.progress if console else ProgressDisplay(io.StringIO(), "off" if how in ("json", "off") else "lines")
    )
    formatter = logging.Formatter(line_format)
    handler.setFormatter(formatter)
    if console:
        logger.addHandler(handler)
    waiting = logging.handlers.MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    waiting.setFormatter(formatter)
    logger.addHandler(waiting)
    return shown


def display() -> ProgressDisplay | None:
    """The progress line of the console; None where this process says nothing there."""
    return next((handler.progress for handler in logger.handlers if isinstance(handler, _ConsoleHandler)), None)


def leave_progress_to_the_first(rank: int) -> None:
    """Of several ranks one says how far the work is; a training's own lines are those of each rank all the same."""
    shown = display()
    if shown:
        shown.of_first = rank == 0


def open_file(path: Path) -> None:
    """Write all lines to the file `path` too, also those logged since `start`."""
    handler = _FileHandler(path, encoding="utf-8")
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
