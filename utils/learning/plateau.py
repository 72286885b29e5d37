"""A learning rate that falls where evaluations no longer get better."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.learning.step_state import number
from mindzoo.utils.scores.metric import METRIC_KINDS, Metric


class Plateau(nn.Cell):
    """rate -> rate times a factor, which the host changes between two steps without compiling anything again.

    What it knows is in parameters, which a checkpoint of the training holds.

    Args:
        factor: what the rate is multiplied by after `patience` evaluations in a row that were no better.
        lowest: the smallest share of the rate.
        min_delta: by how much a value has to be better to count as that.
        metric: which of two evaluations is better.
    """

    def __init__(
        self,
        *,
        factor: float,
        patience: int,
        lowest: float = 0.0,
        min_delta: float = 0.0,
        metric: Metric = METRIC_KINDS["top1"],
    ) -> None:
        super().__init__(auto_prefix=False)
        self.metric = metric
        self.factor, self.patience, self.lowest, self.min_delta = factor, patience, lowest, min_delta
        self.share = number("plateau.share", 1.0)
        self.waited = number("plateau.waited", 0.0)
        self.to_beat = number("plateau.to_beat", -1.0)

    def construct(self, rate: Tensor) -> Tensor:
        return rate * self.share

    @property
    def now(self) -> float:
        """The share of the rate that the next steps take."""
        return float(self.share.asnumpy())

    def note(self, value: float) -> bool:
        """Count an evaluation with this number by `metric`, 0 or more; whether the rate falls."""
        found, before = float(np.float32(value)), float(self.to_beat.asnumpy())  # as a checkpoint keeps them
        if self.metric.is_better(found, before if before >= 0 else None, self.min_delta):
            _set(self.to_beat, value)
            _set(self.waited, 0)
            return False
        _set(self.waited, float(self.waited.asnumpy()) + 1)
        if float(self.waited.asnumpy()) < self.patience:
            return False
        _set(self.waited, 0)
        share = self.now
        _set(self.share, max(share * self.factor, min(self.lowest, 1.0)))
        return self.now < share


def _set(parameter: Parameter, value: float) -> None:
    # `set_data` does not reach a graph that reads the parameter within a branch, as that of accumulated gradients does.
    ops.assign(parameter, Tensor(value, ms.float32))
