"""Calls over a network, tried again after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger

T = TypeVar("T")
WAITS = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth attempt
# What another attempt does not change.
FINAL = (UserError, FileNotFoundError, PermissionError, ImportError, AttributeError, TypeError)


def patiently(call: Callable[[], T], what: str, waits: Sequence[float] = WAITS) -> T:
    """Return what `call` returns; where it fails, call it again after each of `waits`, in seconds.

    The clients of object storage raise errors of many kinds where a network fails, so all of them are tried again but
    those that say that something is missing or forbidden.

    Args:
        what: what is being done, for the log.
    """
    for wait in waits:
        try:
            return call()
        except FINAL:
            raise
        except Exception as error:
            logger.info("%s failed, again in %g s: %s", what, wait, reason(error))
            time.sleep(wait)
    return call()


def reason(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (UserError, OSError)) and text else f"{type(error).__name__}: {text}"
