"""When a checkpoint is written, under which name, and which ones are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.log import logger
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class Checkpoints(Callback):
    """Writes by steps, by epochs and after the last step; keeps the newest `keep_checkpoint_max` that it wrote."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def on_step(self, run: RunState) -> None:
        if run.reached_multiple(run.config.ckpt_interval):
            self._save_numbered(run)

    def on_epoch_end(self, run: RunState) -> None:
        interval = run.config.save_checkpoint_epochs
        if interval and (run.epoch + 1) % interval == 0:
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
        counts: dict[str, Any] = {"epoch": run.epoch, "epoch_step": run.epoch_step, "step": run.step, "best": run.best}
        counts["steps_per_epoch"] = run.steps_per_epoch
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
