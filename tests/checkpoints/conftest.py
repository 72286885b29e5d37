"""What the readers of checkpoints say."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mindzoo.utils.log import logger


class _Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The lines of our logger, each once.

    pytest's own `caplog` has them once or twice: since 9.2 it listens to loggers that do not pass on, too.
    """
    handler, level = _Keeping(), logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)
