"""Dropout whose zeros are a function of the seed and of the batches that were seen, so that a run that goes on draws on.

MindSpore's own keeps a state that no checkpoint holds. The counter of draws is a state of the training, not a weight of
the network: a checkpoint has it beside the optimizer's, and the network that is made of it has none.
"""

from __future__ import annotations

from mindspore import Tensor, nn

from mindzoo.utils.learning.hashed_uniform import HashedUniform

STATE = "dropout_draws"  # what the names of the counters begin with
# Apart from the seeds of the loss, so that both do not draw the same numbers.
OFFSET = 500


class SeededDropout(nn.Cell):
    """x -> x where it was drawn to stay, divided by the share that stays, else 0; in inference x itself.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, with the scale moved into the training.
    """

    def __init__(self, rate: float, seed: int, number: int) -> None:
        super().__init__()
        self.kept = 1.0 - rate
        self.uniform = HashedUniform(seed)
        self.uniform.draws.name = f"{STATE}.{number}"

    def construct(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        stays = self.uniform(x.size).reshape(x.shape) < self.kept
        return x * stays.astype(x.dtype) / self.kept


def seeded(network: nn.Cell, seed: int, rank: int) -> None:
    """Put a SeededDropout in the place of each nn.Dropout of `network`; ranks, which see other images, draw otherwise."""
    found = [
        (parent, name, cell)
        for _, parent in network.cells_and_names()
        for name, cell in parent.name_cells().items()
        if isinstance(cell, nn.Dropout)
    ]
    for number, (parent, name, cell) in enumerate(found):
        dropout = SeededDropout(cell.p, 1000 * seed + OFFSET + rank + number, number)
        counter = dropout.uniform.draws.name
        setattr(parent, name, dropout)
        dropout.uniform.draws.name = counter  # the parent has put its own name in front
