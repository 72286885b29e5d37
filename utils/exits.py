"""The exit status that each way to end has."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

from mindzoo.utils import log
from mindzoo.utils.errors import UserError

# What a machine refuses, wherever a run meets it: a disk that is full, read-only or broken, a missing right.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """The run ended early because a signal asked it to; `signal` is that signal's number."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class FoundProblems(Exception):  # noqa: N818 - the command did its work
    """A check found what it looks for, and has said so: exit status 1."""


def exit_status(run: Callable[[], object]) -> int:
    """Run a command and turn the way it ends into an exit status.

    0: done; 1: a check found problems; 2: something the user can mend, said in a line; 128 + signal: ended by a
    signal. Any other exception is a defect of ours and keeps its traceback.
    """
    try:
        run()
    except FoundProblems:
        return 1
    except UserError as error:
        return _refused(error)
    except Interrupted as error:
        log.logger.info("%s", error)
        return 128 + error.signal
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader of our output is gone; nothing is to be flushed
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        return _refused(UserError(f"{error.strerror}{f': {error.filename}' if error.filename else ''}"))
    finally:
        log.stop()
    return 0


def _refused(error: UserError) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"error: {error}\n")
    return 2
