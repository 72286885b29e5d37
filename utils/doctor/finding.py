"""What a check of the machine found: one line that says whether it is well, and what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    level: Literal["ok", "warning", "problem"]
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:9}{self.subject:13}{self.text}"


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding("ok", subject, text)


def warning(subject: str, text: str) -> Finding:
    """It may do harm, or may be meant so."""
    return Finding("warning", subject, text)


def problem(subject: str, text: str) -> Finding:
    """A training will fail, or not do what is expected of it."""
    return Finding("problem", subject, text)
