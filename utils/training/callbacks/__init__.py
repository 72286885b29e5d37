"""What happens beside the steps of a training: each file is one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mindzoo.utils.training.state import RunState


class Callback:
    """Does nothing; a callback overrides what it needs."""

    def on_resume(self, run: RunState) -> None:
        """Before the first step of a run that goes on from the end of an epoch."""

    def on_step(self, run: RunState) -> None:
        """After every step, or after as many as the device did by itself."""

    def on_epoch_end(self, run: RunState) -> None:
        """After the last step of an epoch."""

    def on_error(self, run: RunState) -> None:
        """After the steps that were done, where the next one failed; what it raises itself is lost."""

    def on_end(self, run: RunState) -> None:
        """After the last step of the run, also where a signal or `max_steps` ended it."""
