"""When the results of a run are uploaded: at every checkpoint and after every epoch."""

from __future__ import annotations

from mindzoo.utils.storage import Uploader
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class Upload(Callback):
    """Asks for it and does not wait; called after the callbacks that write."""

    def __init__(self, uploader: Uploader) -> None:
        self.uploader = uploader
        self.saved = ""

    def on_step(self, run: RunState) -> None:
        if run.saved != self.saved:
            self.saved = run.saved
            self.uploader.ask()

    def on_epoch_end(self, run: RunState) -> None:
        self.uploader.ask()
