"""What a training and an evaluation report: the numbers that log lines and files are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Files of a run's folder. A run that goes on there writes config_2.yaml and so on, as `numbered` says.
FACTS = "config.yaml"
ENVIRONMENT = "environment.json"
CLASSES = "classes.json"
METRICS = "metrics.jsonl"
TABLE = "metrics.csv"
PREDICTIONS = "predictions.jsonl"
CLASS_SCORES = "class_scores.csv"
HELD_OUT = "held_out.txt"
RECIPE = "finetune.yaml"


def numbered(name: str, number: int) -> str:
    """The name of the file of its kind with this number: the first one has none."""
    stem, dot, suffix = name.rpartition(".")
    return name if number == 1 else f"{stem}_{number}{dot}{suffix}"


@dataclass(frozen=True)
class EpochRecord:
    """What is known when an epoch ends; the model's epoch line is made from it."""

    epoch: int  # from 0
    epochs: int  # where the run ends
    step: int  # steps done in all
    epoch_step: int  # steps done in this epoch
    steps_per_epoch: int
    steps_in_epoch: int  # steps this epoch did in this run
    loss: float  # of the last step
    mean_loss: float  # over the epoch
    lr: float  # of the last step
    seconds: float
    images_per_second: float  # over all ranks


@dataclass(frozen=True)
class EvalResult:
    """Counts over a whole evaluation set."""

    top1: int
    top5: int
    total: int
    loss: float  # mean per image, without label smoothing
    k: int = 5  # what top5 counts: 5, or fewer where there are fewer classes
    balanced_accuracy: float = math.nan  # the mean over classes of their recall; see `scores.by_class`
    macro_f1: float = math.nan  # the mean over classes of their F1
    calibration_error: float = math.nan  # see `scores.calibration`

    @property
    def accuracy(self) -> float:
        """Top-1 in 0..1."""
        return self.top1 / self.total


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and of what: an epoch of a training, or a checkpoint."""

    result: EvalResult
    epoch: int | None = None  # from 0; None outside of a training
    checkpoint: str = ""
    is_best: bool = False  # of this training so far
    seconds: float = 0.0
