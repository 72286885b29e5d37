"""The configuration keys of reports."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class ReportConfig:
    """Reports"""

    runs: tuple[str, ...] = key(
        (), "folders of trainings or evaluations; several are drawn over each other", positional=True
    )
    output: str = key(
        "", "file to write, .html; by default report.html in the folder of the run, or here where there are several"
    )
