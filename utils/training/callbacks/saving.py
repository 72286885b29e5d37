"""When a checkpoint is written, under which name, and which ones are kept."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.log import logger
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState

BEST = "best.ckpt"


class Checkpoints(Callback):
    """Writes by steps, by epochs and after the last step; keeps the newest `keep_checkpoint_max` that it wrote."""

    def __init__(self) -> None:
        self.written: list[Path] = []
        self.due = False

    def on_step(self, run: RunState) -> None:
        self.due = self.due or run.reached_multiple(run.config.ckpt_interval)
        # The file of an epoch's last step waits for the evaluation, whose record it carries.
        if self.due and run.epoch_step < run.steps_per_epoch:
            self._save_numbered(run)

    def on_epoch_end(self, run: RunState) -> None:
        interval = run.config.save_checkpoint_epochs
        if self.due or (interval and (run.epoch + 1) % interval == 0):
            self._save_numbered(run)

    def on_end(self, run: RunState) -> None:
        self._save_numbered(run)
        if run.spec.lines.final and run.step >= run.last_step:
            self.save(run, run.spec.lines.final(run.config), weights_alone=True)

    def save(self, run: RunState, name: str, *, weights_alone: bool = False) -> Path | None:
        """Write the checkpoint `name` into the run's folder; None where this rank is not one that writes.

        Args:
            weights_alone: leave out the state of the training, which cannot go on from the file then.

        Raises:
            UserError: the last loss is not finite, or the file cannot be written.
        """
        run.read_loss()
        if not run.config.save_checkpoint or (run.config.is_save_on_master and run.world.rank != 0):
            return None
        counts = run.counts()
        path = run.folder.path / name
        parameters = {parameter.name: parameter for parameter in run.train_step.get_parameters()}
        if weights_alone:
            parameters = {name: value for name, value in parameters.items() if not checkpoint_file.is_state(name)}
            counts = {}
        checkpoint_file.save_checkpoint(path, parameters, {**run.meta, **counts})
        run.saved = str(path)
        logger.info("saved %s", path)
        return path

    def _save_numbered(self, run: RunState) -> None:
        self.due = False
        name = run.spec.lines.checkpoint(run.config, run.world.rank, run.epoch + 1, run.epoch_step)
        if self.written and self.written[-1].name == name:
            return
        path = self.save(run, name)
        if path is None:
            return
        self.written.append(path)
        most = run.config.keep_checkpoint_max
        while most and len(self.written) > most:
            self.written.pop(0).unlink(missing_ok=True)
