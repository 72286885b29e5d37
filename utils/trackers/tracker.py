"""What a tracker is. A new one is a file beside this one, and a line in `registry.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """Shows the values of a training somewhere. What it raises costs the run the tracker, and nothing else."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the run's; a run that goes on has what it wrote there before."""

    def start(self, settings: Mapping[str, Any], step: int) -> None:
        """Begin; `settings` are the resolved keys of the training, with lists in place of tuples.

        Args:
            step: the first of which values will come. What an earlier run said of it and later ones is done again.
        """

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show `values` by names such as "train/loss"; `step` counts from the beginning of the training."""

    def finish(self) -> None:
        """No more values will come."""
