"""The model's own epoch line, and the same facts for machines."""

from __future__ import annotations

import dataclasses

from mindzoo.utils.log import logger
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState


class EpochLine(Callback):
    """Logs the epoch line of the model's README, within epochs too where asked, and adds a line to metrics.jsonl."""

    def on_step(self, run: RunState) -> None:
        at_end = run.epoch_step == run.steps_per_epoch
        if run.reached_multiple(run.spec.lines.step_interval(run.config)) and not at_end:
            run.read_loss()
            for line in run.spec.lines.epoch(run.record()):
                logger.info(line)

    def on_epoch_end(self, run: RunState) -> None:
        record = run.record()
        for line in run.spec.lines.epoch(record):
            logger.info(line)
        logger.info("epoch %d: mean loss %.4f over all of its steps", record.epoch + 1, record.mean_loss)
        facts = dataclasses.asdict(record)
        run.folder.add_metrics(kind="epoch", **facts, data_seconds=run.epoch_clock.waited)
