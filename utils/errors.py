"""Errors that are for the person at the keyboard, and the exit status that each way to end has."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Callable, Iterable

from mindzoo.utils import log


class UserError(Exception):
    """Something the user can mend: shown as one or two lines, without a traceback, with exit status 2.

    The message says what was found, what was wanted and what to do.
    """


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """The run ended early because a signal asked it to; `signal` is that signal's number."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


def exit_status(run: Callable[[], object]) -> int:
    """Run a command and turn the way it ends into an exit status.

    0: done; 2: something the user can mend, said in a line; 128 + signal: ended by a signal. Any other exception is
    a defect of ours and keeps its traceback.
    """
    try:
        run()
    except UserError as error:
        sys.stdout.flush()
        sys.stderr.write(f"error: {error}\n")
        return 2
    except Interrupted as error:
        log.logger.info("%s", error)
        return 128 + error.signal
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader of our output is gone; nothing is to be flushed
        return 128 + signal.SIGPIPE
    finally:
        log.stop()
    return 0


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' with the known word nearest to `word`, or nothing where none is near."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]}?)" if matches else ""


def shorten(names: Iterable[str], most: int = 5) -> str:
    """'a, b, c and 4 more': the first `most` of the names, and how many were left out."""
    listed = list(names)
    text = ", ".join(listed[:most])
    return f"{text} and {len(listed) - most} more" if len(listed) > most else text
