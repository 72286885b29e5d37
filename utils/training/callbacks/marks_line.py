"""Says once how many pictures carry a camera's mark: whether they lie on their side is easily overlooked."""

from __future__ import annotations

from mindzoo.utils.data.look import Marks
from mindzoo.utils.log import logger
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class MarksLine(Callback):
    """One line after the first epoch of the run that read such pictures."""

    def __init__(self, marks: Marks) -> None:
        self.marks, self.said = marks, False

    def on_epoch_end(self, run: RunState) -> None:
        if not self.said and (line := self.marks.line(run.config.orientation)):
            logger.info("%s", line)
            self.said = True
