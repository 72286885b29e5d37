"""Evaluation while training: the averaged weights where there are any, and the best checkpoint kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mindspore import Tensor

from mindzoo.utils import ranks
from mindzoo.utils.checkpoints.checkpoint_file import BEST
from mindzoo.utils.data.loader import EvalData
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.log import logger
from mindzoo.utils.records import Evaluated
from mindzoo.utils.scores import sentences
from mindzoo.utils.scores.metric import METRIC_KINDS, value_of_best
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.callbacks.saving import Checkpoints
from mindzoo.utils.training.hit_counter import HitCounter
from mindzoo.utils.training.state import RunState

STATISTICS = ("moving_mean", "moving_variance")


class Evaluation(Callback):
    """Evaluates every `eval_interval` epochs and after the last one; the best so far is saved as best.ckpt."""

    def __init__(self, evaluator: HitCounter, data: EvalData, checkpoints: Checkpoints) -> None:
        self.evaluator, self.data, self.checkpoints = evaluator, data, checkpoints

    def on_resume(self, run: RunState) -> None:
        if run.evaluation is None:
            self.on_epoch_end(run)

    def on_epoch_end(self, run: RunState) -> None:
        last = run.step >= run.last_step
        done = run.epoch + 1
        if not last and (done % run.config.eval_interval or done <= run.config.eval_start_epoch):
            return
        started = time.perf_counter()
        # Each rank has batch-norm statistics of its own images; a checkpoint has those of rank 0.
        ranks.copy_from_first(run.world, [p for p in run.train_step.get_parameters() if p.name.endswith(STATISTICS)])
        with averaged_weights(run.train_step):
            result = self.evaluator.run(self.data)
        run.train_step.set_train(True)
        metric = METRIC_KINDS[run.config.metric]
        value = metric.value(vars(result))
        is_best = metric.is_better(value, value_of_best(run.best, run.config.metric))
        evaluated = Evaluated(result, epoch=run.epoch, is_best=is_best, seconds=time.perf_counter() - started)
        for line in run.spec.lines.evaluation(evaluated):
            logger.info(line)
        logger.info("%s", sentences.means(self.evaluator.by_class, result.calibration_error))
        run.evaluation = {
            "epoch": run.epoch,
            "step": run.step,
            **dataclasses.asdict(result),
            "accuracy": result.accuracy,
        }
        run.folder.add_metrics(kind="evaluation", **run.evaluation, **(self._keep_predictions(run) if is_best else {}))
        count_for_patience(run, value)
        count_for_plateau(run, value)
        if is_best:
            of_metric = {"metric": run.config.metric, "value": value}
            run.best = {"accuracy": result.accuracy, **of_metric, "epoch": run.epoch + 1, "step": run.step}
            if run.config.save_best_ckpt:
                self.checkpoints.save(run, BEST)

    def _keep_predictions(self, run: RunState) -> dict[str, str]:
        """Write what this evaluation found of each image; what metrics.jsonl says of it."""
        found = self.evaluator.predictions(self.data)
        about = {"epoch": run.epoch, "step": run.step, "orientation": run.config.orientation}
        run.folder.add_class_scores(self.evaluator.by_class, self.data.folders.classes)
        return run.folder.add_predictions(dataclasses.replace(found, about=about))


def count_for_patience(run: RunState, value: float) -> None:
    """Count the evaluation as one that is better, or as one more that is not.

    Args:
        value: its number by the run's metric.
    """
    to_beat = run.to_beat if run.to_beat >= 0 else None
    if METRIC_KINDS[run.config.metric].is_better(value, to_beat, run.config.min_delta):
        run.to_beat, run.waited = value, 0
        return
    run.waited += 1
    if run.out_of_patience:
        logger.info("no better evaluation in %d: the training ends; patience is %d", run.waited, run.config.patience)


def count_for_plateau(run: RunState, value: float) -> None:
    """Let the learning rate fall where the evaluation is one too many that is no better; those of the warmup do not count."""
    plateau = run.train_step.optimizer.plateau
    if plateau and run.epoch >= run.config.warmup_epochs and plateau.note(value):
        logger.info(
            "no better evaluation in %d: the learning rate is %g from here on",
            plateau.patience,
            run.rates[-1] * plateau.now,
        )


@contextmanager
def averaged_weights(step: TrainStep) -> Iterator[None]:
    """The network has the averaged weights inside the block, where the step keeps any."""
    if not step.averages:
        yield
        return
    raw = [weight.asnumpy() for weight in step.weights]
    for weight, average in zip(step.weights, step.shadow, strict=True):
        weight.set_data(Tensor(average.asnumpy()))
    try:
        yield
    finally:
        for weight, value in zip(step.weights, raw, strict=True):
            weight.set_data(Tensor(value))
