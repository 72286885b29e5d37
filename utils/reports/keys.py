"""The configuration keys of reports."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class ReportConfig:
    """Reports"""

    runs: tuple[str, ...] = key(
        (), "folder of a training or an evaluation; several are compared, as by mindzoo compare", positional=True
    )
    output: str = key("", "file to write, .html; by default report.html in the folder of the run")


@dataclass(frozen=True)
class CompareConfig:
    """Comparisons"""

    runs: tuple[str, ...] = key(
        (), "folders of trainings or evaluations, two or more; each is compared with the first", positional=True
    )
    output: str = key("", "page to write, .html; by default compare.html in the current folder")
