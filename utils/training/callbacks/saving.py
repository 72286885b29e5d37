"""When a checkpoint is written, under which name, and which ones are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mindzoo.utils.checkpoints import checkpoint_file, soundness
from mindzoo.utils.checkpoints.checkpoint_file import BEST, LAST
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import second_name
from mindzoo.utils.log import aside, logger
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState

# Seconds from which on writing one file is worth a line: it is time in which nothing is computed.
SLOW = 10.0


class Checkpoints(Callback):
    """Writes numbered files by steps, by epochs and after the last step, and keeps the newest `keep_checkpoint_max`.

    `last.ckpt` is the newest state: of each epoch's end, of every `save_minutes`, and of an error in the middle.

    Args:
        before: the numbered files that the run has already, the oldest first.
        best: the best file so far, where it is in another folder. It gets a name in this one once there is a newer file:
            alone there it would hide the newest of that folder from `--resume auto`.
    """

    def __init__(self, before: Sequence[Path] = (), best: Path | None = None) -> None:
        self.numbered, self.best = list(before), best
        self.due = False
        self.failed = False  # the last attempt to write
        self.saved_step, self.saved_at = -1, time.monotonic()

    def on_step(self, run: RunState) -> None:
        self.due = self.due or run.reached_multiple(run.config.ckpt_interval)
        if run.epoch_step == run.steps_per_epoch:
            return  # the file of an epoch's last step waits for the evaluation, whose record it carries
        minutes = run.config.save_minutes
        if self.due:
            self._save_numbered(run)
        elif minutes and time.monotonic() - self.saved_at >= 60 * minutes:
            self._save_last(run)

    def on_epoch_end(self, run: RunState) -> None:
        interval = run.config.save_checkpoint_epochs
        if self.due or (interval and (run.epoch + 1) % interval == 0):
            self._save_numbered(run)
        self._save_last(run)

    def on_end(self, run: RunState) -> None:
        self.failed = True  # there is no later attempt
        self._save_numbered(run)
        self._save_last(run)
        if run.spec.lines.final and (run.step >= run.last_step or run.out_of_patience):
            self.save(run, run.spec.lines.final(run.config), weights_alone=True)

    def on_error(self, run: RunState) -> None:
        self.failed = False
        try:
            if run.between_steps and math.isfinite(run.loss) and run.step != self.saved_step:
                self._save_last(run)
        except UserError as error:
            logger.info("nothing more was saved: %s", error)

    def save(self, run: RunState, name: str, *, weights_alone: bool = False) -> Path | None:
        """Write the checkpoint `name` into the run's folder; None where this rank writes none, or could not.

        The first attempt that fails is a warning: the disk may have room again at the next one.

        Args:
            weights_alone: leave out the state of the training, which cannot go on from the file then.

        Raises:
            UserError: the loss or the weights are not finite, or this is the second file that cannot be written.
        """
        run.read_loss()
        shared = name in (BEST, LAST) or run.config.is_save_on_master
        if not run.config.save_checkpoint or (shared and run.world.rank != 0):
            return None
        path = run.folder.path / name
        parameters = {parameter.name: parameter for parameter in run.train_step.get_parameters()}
        check_finite(run, ((name, parameter.asnumpy()) for name, parameter in parameters.items()))
        if weights_alone:
            parameters = {name: value for name, value in parameters.items() if not checkpoint_file.is_state(name)}
        started = time.monotonic()
        try:
            checkpoint_file.save_checkpoint(path, parameters, {**run.meta, **({} if weights_alone else run.counts())})
        except UserError as error:
            if self.failed:
                raise
            self.failed = True
            logger.warning("%s; the training goes on, and ends if the next one cannot be written either", error)
            return None
        self.failed = False
        self.saved_step, self.saved_at, run.saved = run.step, time.monotonic(), str(path)
        aside("saved %s", path)
        if self.best is not None and run.world.rank == 0:
            if not (run.folder.path / BEST).exists():
                second_name(self.best, run.folder.path / BEST)
            self.best = None
        if self.saved_at - started >= SLOW:
            logger.warning(
                "the disk took %.0f s for it; fewer files, or another output_dir, save time", self.saved_at - started
            )
        return path

    def _save_numbered(self, run: RunState) -> None:
        self.due = False
        name = run.spec.lines.checkpoint(run.config, run.world.rank, run.epoch + 1, run.epoch_step)
        if self.numbered and self.numbered[-1].name == name and self.saved_step == run.step:
            return
        path = self.save(run, name)
        if path is None:
            return
        self.numbered = [older for older in self.numbered if older != path] + [path]
        most = run.config.keep_checkpoint_max
        while most and len(self.numbered) > most:
            self.numbered.pop(0).unlink(missing_ok=True)

    def _save_last(self, run: RunState) -> None:
        """The newest file under this name too, where it is of this step."""
        if run.world.rank != 0 or self.saved_step != run.step or not run.saved:
            self.save(run, LAST)
        elif run.saved != str(run.folder.path / LAST):
            second_name(Path(run.saved), run.folder.path / LAST)


def check_finite(run: RunState, values: Iterable[tuple[str, np.ndarray]]) -> None:
    """Refuse to keep what no training can go on from: the loss of the step before can still have been finite.

    Raises:
        UserError: names the first parameter with such a value.
    """
    bad = soundness.first_not_finite(values)
    if bad:
        raise UserError(
            f"{bad} holds values that are not finite after step {run.step} (epoch {run.epoch + 1}); the last good "
            f"checkpoint is {run.saved or 'none'}; try a smaller lr, clip_norm, or a larger batch_size"
        )
